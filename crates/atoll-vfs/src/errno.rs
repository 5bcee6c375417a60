//! Error numbers of the guest filesystem, with the names and texts that Node's programs expect.

/// An error number of Linux. Guests see its [name](Errno::name), its [message](Errno::message) and, as Node has it,
/// the negative number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

macro_rules! errnos {
    ($($name:ident = $number:literal, $message:literal;)*) => {
        impl Errno {
            $(#[doc = $message] pub const $name: Self = Self($number);)*

            /// All error numbers that have a name here.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The constant's name (`ENOENT`), or `UNKNOWN` for a number that is not in the table.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    _ => "UNKNOWN",
                }
            }

            /// What it means in words, as libuv and so Node puts it.
            pub const fn message(self) -> &'static str {
                match self.0 {
                    $($number => $message,)*
                    _ => "unknown error",
                }
            }
        }
    };
}

// Numbers as in Linux's asm-generic/errno.h (x86-64 and AArch64 agree), words as in libuv's uv.h.
errnos! {
    EPERM = 1, "operation not permitted";
    ENOENT = 2, "no such file or directory";
    ESRCH = 3, "no such process";
    EINTR = 4, "interrupted system call";
    EIO = 5, "i/o error";
    ENXIO = 6, "no such device or address";
    E2BIG = 7, "argument list too long";
    EBADF = 9, "bad file descriptor";
    EAGAIN = 11, "resource temporarily unavailable";
    ENOMEM = 12, "not enough memory";
    EACCES = 13, "permission denied";
    EFAULT = 14, "bad address in system call argument";
    EBUSY = 16, "resource busy or locked";
    EEXIST = 17, "file already exists";
    EXDEV = 18, "cross-device link not permitted";
    ENODEV = 19, "no such device";
    ENOTDIR = 20, "not a directory";
    EISDIR = 21, "illegal operation on a directory";
    EINVAL = 22, "invalid argument";
    ENFILE = 23, "file table overflow";
    EMFILE = 24, "too many open files";
    ENOTTY = 25, "inappropriate ioctl for device";
    ETXTBSY = 26, "text file is busy";
    EFBIG = 27, "file too large";
    ENOSPC = 28, "no space left on device";
    ESPIPE = 29, "invalid seek";
    EROFS = 30, "read-only file system";
    EMLINK = 31, "too many links";
    EPIPE = 32, "broken pipe";
    ERANGE = 34, "result too large";
    ENAMETOOLONG = 36, "name too long";
    ENOSYS = 38, "function not implemented";
    ENOTEMPTY = 39, "directory not empty";
    ELOOP = 40, "too many symbolic links encountered";
    EOVERFLOW = 75, "value too large for defined data type";
    EILSEQ = 84, "illegal byte sequence";
    EOPNOTSUPP = 95, "operation not supported on socket";
    ETIMEDOUT = 110, "connection timed out";
    ESTALE = 116, "stale file handle";
    EDQUOT = 122, "disk quota exceeded";
    ECANCELED = 125, "operation canceled";
}

impl Errno {
    /// The number as Linux counts it, positive.
    pub const fn raw(self) -> i32 {
        self.0
    }
}

impl From<atoll_sys::Errno> for Errno {
    fn from(errno: atoll_sys::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.name(), self.message())
    }
}

impl std::fmt::Debug for Errno {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}({})", self.name(), self.0)
    }
}

impl std::error::Error for Errno {}
