//! One hostile input.

use std::io;
use std::path::Path;

/// How the program has to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It ends with an exit code of its own, and what it prints contains each of these texts: the file, the field.
    Refuses(Vec<&'static str>),
    /// It does its work, and what it prints contains none of these texts.
    Runs(Vec<&'static str>),
    /// Either: damage may leave a usable file.
    Either,
}

/// Writes the files of a case into an empty folder; returns the arguments of `ventral`, which runs in this folder.
type Make = Box<dyn Fn(&Path) -> io::Result<Vec<String>> + Send + Sync>;

/// A hostile input and what has to come of it.
pub struct Case {
    /// Row of the table.
    pub family: &'static str,
    /// What is wrong with it.
    pub name: String,
    /// How the program has to end.
    pub expect: Expect,
    /// Whether it takes more than a second or many megabytes to make, or is one of many: then it is no part of the dose.
    pub heavy: bool,
    make: Make,
}

impl Case {
    /// A case that has to be refused with a message that contains `texts`.
    pub fn refused(
        family: &'static str,
        name: impl Into<String>,
        texts: &[&'static str],
        make: impl Fn(&Path) -> io::Result<Vec<String>> + Send + Sync + 'static,
    ) -> Self {
        Self::new(family, name, Expect::Refuses(texts.to_vec()), make)
    }

    /// A case with any expectation.
    pub fn new(
        family: &'static str,
        name: impl Into<String>,
        expect: Expect,
        make: impl Fn(&Path) -> io::Result<Vec<String>> + Send + Sync + 'static,
    ) -> Self {
        Self { family, name: name.into(), expect, heavy: false, make: Box::new(make) }
    }

    /// Only for `make hostile`.
    #[must_use]
    pub fn heavy(self) -> Self {
        Self { heavy: true, ..self }
    }

    /// Writes the files into `folder`; returns the arguments.
    ///
    /// # Errors
    /// Those of writing.
    pub fn make(&self, folder: &Path) -> io::Result<Vec<String>> {
        (self.make)(folder)
    }
}

/// Arguments from words.
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
