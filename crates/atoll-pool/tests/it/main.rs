//! The pool against any history, and the eviction policies against each other.

mod lanes;
mod model;
mod policies;
mod stages;
