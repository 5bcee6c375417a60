//! `navigator` (HTML, "System state and capabilities"; WinterTC minimum common API).

use atoll_engine::{Builtin, Call, Global, NativeResult, Value, natives};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/navigator",
    source: include_str!("api.js"),
    natives: natives! { "userAgent" => user_agent },
    globals: &[Global::eager("navigator"), Global::eager("Navigator")],
};

/// `userAgent()`: one product token.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn user_agent(_: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(Value::from(concat!("Atoll/", env!("CARGO_PKG_VERSION"))))
}
