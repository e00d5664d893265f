//! Reading records while they are written: each once its line is whole, from the start again where the file was cut or replaced,
//! as resuming a run does.
#![forbid(unsafe_code)]

use super::read::{ReadError, Record, Records};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// A record.
    Record(Box<Record>),
    /// What was told so far is void; records follow from the first.
    Anew,
    /// Nothing for now.
    Nothing,
}

/// A file of records that may grow, be cut, be replaced, and need not be there yet.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    open: Option<Opened>,
    /// Line of the last malformed record: once may be a cut under way, twice is damage.
    doubted: Option<u64>,
}

#[derive(Debug)]
struct Opened {
    records: Records<BufReader<File>>,
    /// Device and number of the file.
    identity: (u64, u64),
}

impl Follow {
    /// Follows `path` from its first record.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), open: None, doubted: None }
    }

    /// The next record, if it is there. Does not wait.
    ///
    /// # Errors
    /// When the file cannot be read, or a whole line is no record although the file was not cut.
    pub fn advance(&mut self) -> Result<Next, ReadError> {
        let failed = |error| ReadError::Io { path: self.path.clone(), error };
        let Some(opened) = &mut self.open else {
            let file = match File::open(&self.path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Next::Nothing),
                Err(error) => return Err(failed(error)),
            };
            let identity = identity(&file.metadata().map_err(failed)?);
            let records = Records::new(BufReader::with_capacity(256 * 1024, file), &self.path);
            self.open = Some(Opened { records, identity });
            return Ok(Next::Anew);
        };
        match opened.records.next() {
            Some(Ok(record)) => Ok(Next::Record(Box::new(record))),
            Some(Err(ReadError::Malformed { line, .. })) if self.doubted != Some(line) => {
                self.doubted = Some(line);
                self.open = None;
                Ok(Next::Nothing)
            }
            Some(Err(error)) => Err(error),
            None => {
                let gone = match fs::metadata(&self.path) {
                    Ok(now) => identity(&now) != opened.identity || now.len() < opened.records.consumed(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                    Err(error) => return Err(failed(error)),
                };
                if gone {
                    self.open = None;
                }
                Ok(Next::Nothing)
            }
        }
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Level, Message};
    use std::io::Write;

    fn line(text: &str) -> String {
        let message = Message { lane: None, step: None, level: Level::Info, text: text.into() };
        let mut value = serde_json::to_value(message).expect("plain data");
        value["record"] = "message".into();
        format!("{value}\n")
    }

    /// All that is there: what was said, `anew` for a new start.
    fn drain(follow: &mut Follow) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            match follow.advance().expect("readable") {
                Next::Anew => found.push("anew".to_owned()),
                Next::Record(record) => match *record {
                    Record::Message(message) => found.push(message.text),
                    other => panic!("{other:?}"),
                },
                Next::Nothing => return found,
            }
        }
    }

    #[test]
    fn lines_are_read_once_they_are_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        let mut follow = Follow::new(&path);
        assert!(drain(&mut follow).is_empty(), "not there yet");
        let mut file = File::create(&path).expect("created");
        let text = line("one") + &line("two");
        let mut found = Vec::new();
        for byte in text.as_bytes() {
            file.write_all(&[*byte]).expect("written");
            found.extend(drain(&mut follow));
        }
        assert_eq!(found, ["anew", "one", "two"]);
    }

    #[test]
    fn a_file_that_was_cut_or_replaced_is_read_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        fs::write(&path, line("one") + &line("two")).expect("written");
        let mut follow = Follow::new(&path);
        assert_eq!(drain(&mut follow), ["anew", "one", "two"]);
        File::options().write(true).open(&path).expect("there").set_len(line("one").len() as u64).expect("cut");
        assert!(drain(&mut follow).is_empty());
        assert_eq!(drain(&mut follow), ["anew", "one"]);
        let other = folder.path().join("other");
        fs::write(&other, line("three") + &line("four")).expect("written");
        fs::rename(&other, &path).expect("replaced");
        assert!(drain(&mut follow).is_empty());
        assert_eq!(drain(&mut follow), ["anew", "three", "four"]);
    }

    #[test]
    fn damage_is_an_error_the_second_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        fs::write(&path, line("one") + "nonsense\n").expect("written");
        let mut follow = Follow::new(&path);
        assert_eq!(drain(&mut follow), ["anew", "one"]);
        let error = (0..3).find_map(|_| follow.advance().err()).expect("not passed over twice");
        assert!(matches!(error, ReadError::Malformed { line: 2, .. }), "{error}");
    }
}
