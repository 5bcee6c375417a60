//! Integration tests of Node.js compatibility.

mod loader;
