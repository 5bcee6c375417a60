//! Every limit, attacked in many ways.

use super::{LIMITS, Limit, MEMORY, WALL, Wanted, check};

#[test]
fn the_heap_by_plain_objects() {
    check(
        MEMORY,
        Wanted::Ended(Limit::Memory),
        &[
            "heap_arrays",
            "heap_one_array",
            "heap_holes",
            "heap_map",
            "heap_set",
            "heap_weak_map",
            "heap_weak_refs",
            "heap_finalizers",
            "heap_properties",
            "heap_proxies",
            "heap_bigints",
            "heap_errors",
        ],
    );
}

#[test]
fn the_heap_by_text() {
    check(
        MEMORY,
        Wanted::Ended(Limit::Memory),
        &[
            "heap_strings",
            "heap_ropes",
            "heap_symbols",
            "heap_registered_symbols",
            "heap_interned",
            "heap_json_wide",
            "heap_json_text",
            "heap_regexp_results",
            "heap_regexp_matches",
            "heap_split",
            "heap_stack_texts",
            "heap_inspected",
        ],
    );
}

#[test]
fn the_heap_by_code() {
    check(
        MEMORY,
        Wanted::Ended(Limit::Memory),
        &[
            "heap_closures",
            "heap_bound",
            "heap_classes",
            "heap_functions",
            "heap_promises",
            "heap_async_frames",
            "heap_generators",
            "heap_spread",
            "heap_builtin_iterator",
            "heap_from_entries",
            "heap_modules",
        ],
    );
}

#[test]
fn the_heap_by_what_the_platform_keeps() {
    check(
        MEMORY,
        Wanted::Ended(Limit::Memory),
        &[
            "heap_dates",
            "heap_collators",
            "heap_segments",
            "heap_listeners",
            "heap_abort_signals",
            "heap_headers",
            "heap_search_params",
            "heap_stream_queue",
            "heap_node_queues",
            "heap_microtask_queue",
            "heap_ticks",
            "heap_clones",
        ],
    );
}

#[test]
fn buffers() {
    check(
        MEMORY,
        Wanted::Ended(Limit::Memory),
        &[
            "buffer_small",
            "buffer_large",
            "buffer_huge",
            "buffer_clones",
            "buffer_slices",
            "buffer_typed_from",
            "buffer_nodes",
            "buffer_node_pool",
            "buffer_random",
            "buffer_decoded_base64",
            "buffer_transfers",
        ],
    );
}

#[test]
fn buffers_of_bodies_and_streams() {
    check(MEMORY, Wanted::Ended(Limit::Memory), &["buffer_streams", "buffer_node_queues", "buffer_digests"]);
}

#[test]
fn buffers_that_natives_make_are_refused() {
    // The guest's own RangeError: nobody but a native asked for the memory, and it asks before.
    check(MEMORY, Wanted::Failure, &["buffer_blobs", "buffer_bodies", "buffer_encoded", "buffer_files"]);
}

#[test]
fn buffers_that_nobody_keeps_are_no_attack() {
    check(MEMORY, Wanted::Answer("200 done"), &["buffer_garbage"]);
}

#[test]
fn cpu_time_in_guest_code() {
    check(
        LIMITS,
        Wanted::Ended(Limit::Cpu),
        &[
            "cpu_loop",
            "cpu_loop_caught",
            "cpu_microtasks",
            "cpu_awaits",
            "cpu_ticks",
            "cpu_queue_microtask",
            "cpu_thenables",
            "cpu_then",
            "cpu_generator",
            "cpu_wasm",
            "cpu_eval",
            "cpu_stream",
            "cpu_transform",
            "cpu_node_stream",
            "cpu_node_pipeline",
        ],
    );
}

#[test]
fn cpu_time_in_guest_code_that_the_platform_calls() {
    check(
        LIMITS,
        Wanted::Ended(Limit::Cpu),
        &[
            "cpu_getter",
            "cpu_proxy",
            "cpu_to_json",
            "cpu_reviver",
            "cpu_replacer",
            "cpu_comparator",
            "cpu_to_string",
            "cpu_to_primitive",
            "cpu_iterator",
            "cpu_inspect",
            "cpu_listener",
            "cpu_listeners",
        ],
    );
}

#[test]
fn cpu_time_in_the_engine_and_in_natives() {
    check(
        LIMITS,
        Wanted::Ended(Limit::Cpu),
        &[
            "cpu_regexp",
            "cpu_regexp_groups",
            "cpu_regexp_replace",
            "cpu_regexp_case",
            "cpu_bigint_power",
            "cpu_bigint_text",
            "cpu_sort",
            "cpu_normalize",
            "cpu_compare",
            "cpu_json",
            "cpu_hash",
            "cpu_files",
            "cpu_urls",
            "cpu_console",
        ],
    );
}

#[test]
fn time_by_the_clock() {
    check(
        WALL,
        Wanted::Ended(Limit::Wall),
        &["wall_promise", "wall_timers", "wall_interval", "wall_immediates", "wall_body", "wall_unhandled"],
    );
}

#[test]
fn every_guest_is_used() {
    let themes = [
        include_str!("clocks.rs"),
        include_str!("depth.rs"),
        include_str!("killers.rs"),
        include_str!("left.rs"),
        include_str!("limits.rs"),
        include_str!("pollution.rs"),
        include_str!("reach.rs"),
        include_str!("requests.rs"),
        include_str!("termination.rs"),
    ];
    let unused: Vec<String> = std::fs::read_dir(super::guests())
        .expect("the guests' directory")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".mjs").map(str::to_owned))
        .filter(|guest| !themes.iter().any(|theme| theme.contains(&format!("\"{guest}\""))))
        .collect();
    assert!(unused.is_empty(), "no test attacks with these guests: {unused:?}");
}
