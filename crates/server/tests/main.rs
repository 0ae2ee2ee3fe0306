//! The server, tested through its front doors.

mod process;
