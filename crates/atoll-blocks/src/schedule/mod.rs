//! The scheduler: which bytes of a remote object are asked for and when, what is tried again, and who is woken.
//!
//! Pure decisions. Nothing here does I/O, knows a thread or reads a clock: the caller says what happened and when, and
//! carries out what is decided. So the policy is tested with any history, and simulated for a hundred thousand machines
//! in seconds, by the code that serves.
//!
//! # The contract
//!
//! A [`Scheduler`] belongs to one upstream. It knows [objects](Scheduler::open), which consist of *frames*: the units
//! that are verified, and then are there. It is told
//!
//! * what is wanted: [`Scheduler::read`], [`Scheduler::cancel`], [`Scheduler::prefetch`], [`Scheduler::hit`];
//! * what has become of its requests: [`Scheduler::arrived`], [`Scheduler::verified`], [`Scheduler::ended`], and
//!   [`Scheduler::hold`];
//! * what else changes which frames are there: [`Scheduler::mark_ready`], [`Scheduler::forget`]; and that what comes
//!   can't be kept: [`Scheduler::hold_background`];
//! * what else shows how fast the upstream is: [`Scheduler::measured`];
//! * that time has passed: [`Scheduler::tick`], due at [`Scheduler::next_deadline`].
//!
//! After each of these calls the caller takes the [actions](Action) and carries them out in their order. Moments are
//! durations since any fixed moment, by a clock that doesn't go backwards.
//!
//! ```
//! use atoll_blocks::schedule::*;
//! use std::time::Duration;
//!
//! let at = Duration::from_millis;
//! let mut scheduler = Scheduler::new(Config::default());
//! let object = scheduler.open(Layout::uniform(4 << 20, 128 << 10, 32));
//!
//! // A read in the middle of the chunk: the request begins with the frame that is wanted.
//! let Answer::Waits(read) = scheduler.read(at(0), object, 7..8) else { panic!() };
//! let started = std::iter::from_fn(|| scheduler.next_action()).find_map(|action| match action {
//!     Action::Start(start) => Some(start),
//!     _ => None,
//! });
//! let start = started.unwrap();
//! assert_eq!((start.bytes.start, start.class), (7 * (128 << 10), Class::Demand));
//!
//! // It is woken when its frame is there, and not when the request is over.
//! scheduler.arrived(at(20), start.request, 140_000);
//! scheduler.verified(at(21), start.request, 8);
//! assert!(std::iter::from_fn(|| scheduler.next_action()).any(|action| action == Action::Wake(read)));
//! assert_eq!(scheduler.read(at(22), object, 7..8), Answer::Ready);
//! ```
//!
//! # The policy
//!
//! What a read waits for is asked for at once, from its first missing frame on, if the budget allows. Everything else
//! is *paced*: it is asked for so that its first byte comes when the last byte of what is under way has come, by the
//! measured time to a first byte and the measured bandwidth. That one rule does several things:
//!
//! * The upstream is never idle while something is missing, and nothing stands in line behind bytes that nobody waits
//!   for: a demand that comes now finds at most what arrives anyway before its own first byte.
//! * A fault that lies ahead of a transfer by less than the product of bandwidth and delay is already asked for, and
//!   waits; one further away is not, and gets a request of its own. Requests that are running need not be cut, so
//!   nothing is ever transferred twice, and connections live on.
//! * Each request ends where the next begins. There are many short ones, an eighth of that product each, in place of
//!   one long.
//!
//! What is asked for is in four [classes](Class), of which the first that has something goes first: frames that
//! somebody waits for; those that a sequential reader will want; those that were named to [`Scheduler::prefetch`]; and
//! the rest of each chunk that somebody has read from, beginning behind the latest read. The lower ones leave some of
//! the budget alone.
//!
//! A demand's request whose first byte is later than 99 of 100 were is *hedged*: a second one is started for the same
//! bytes, and whichever comes first stays. Hedges are limited to one in twenty requests.
//!
//! # What holds at all times
//!
//! * No frame is in two requests at once, but for a hedge and what it hedges; a frame that is there is in none.
//! * Requests and bytes under way are within the budget; a request that alone is above it goes when there is no other.
//! * While a read waits for the budget, nothing of a lower class is started.
//! * Every read that waits is woken or failed once, at the latest after [`Config::read_timeout`], unless it is
//!   cancelled.
//! * A read is woken when each of its frames has been there since it came, and not before.
//! * A failure is an answer to the reads that wait, never to later ones.
//! * Cancelling a read ends no request.
//! * With equal histories, decisions are equal.

mod actions;
mod config;
mod estimate;
mod flights;
mod frame_set;
mod layout;
mod objects;
mod pace;
mod readahead;
mod reads;
mod retry;
mod scheduler;

pub use actions::{Action, Answer, Class, Ending, ObjectId, ReadId, RequestId, Start, Why};
pub use config::Config;
pub use layout::Layout;
pub use scheduler::{Scheduler, Stats};
