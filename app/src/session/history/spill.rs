//! Values that have left memory: pages in one file, which goes with the process however that ends.
//!
//! The file has no name: it is made in the run folder, or where the system keeps temporary files, and unlinked at once. It is made
//! when the first page leaves. What cannot be written is lost but for its extents, and [`Spill::failure`] says so.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Values of a page.
pub(super) const PAGE: usize = 2048;
const BYTES: usize = PAGE * size_of::<f64>();
/// Pages kept of those that were read: 16 MiB.
const CACHED: usize = 1024;

/// A page as it was read.
pub(super) type Page = Arc<[f64]>;

/// Where the values of any number of series go when they leave memory.
#[derive(Debug, Default)]
pub struct Spill {
    folder: Option<PathBuf>,
    file: OnceLock<Option<File>>,
    end: AtomicU64,
    cache: Mutex<HashMap<u64, Page>>,
    failure: OnceLock<String>,
}

impl Spill {
    /// In a file on the disk of `folder`, with no name in it.
    pub fn within(folder: &Path) -> Self {
        Self { folder: Some(folder.into()), ..Self::default() }
    }

    /// Why values were lost, when some were.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    fn fail(&self, error: &io::Error) {
        let place = self.folder.as_deref().unwrap_or(Path::new("the temporary folder")).display();
        // The first failure is the one to tell.
        let _ = self.failure.set(format!("older values of the curves are kept as extents only: {place}: {error}"));
    }

    fn file(&self) -> Option<&File> {
        let open = || {
            let made = match &self.folder {
                // A run folder that cannot be written is no reason to lose values.
                Some(folder) => tempfile::tempfile_in(folder).or_else(|_| tempfile::tempfile()),
                None => tempfile::tempfile(),
            };
            made.inspect_err(|error| self.fail(error)).ok()
        };
        self.file.get_or_init(open).as_ref()
    }

    /// Writes a page; returns where it is.
    pub(super) fn write(&self, values: &[f64; PAGE]) -> Option<u64> {
        let file = self.file()?;
        let place = self.end.fetch_add(BYTES as u64, Ordering::Relaxed);
        let written = file.write_all_at(bytemuck::cast_slice(values), place);
        written.inspect_err(|error| self.fail(error)).ok().map(|()| place)
    }

    /// Reads the page at `place`.
    pub(super) fn read(&self, place: u64) -> Option<Page> {
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = cache().get(&place) {
            return Some(Arc::clone(page));
        }
        let mut values = vec![0.0; PAGE];
        let read = self.file()?.read_exact_at(bytemuck::cast_slice_mut(&mut values), place);
        read.inspect_err(|error| self.fail(error)).ok()?;
        let page: Page = values.into();
        let mut cache = cache();
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(place, Arc::clone(&page));
        Some(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(first: f64) -> [f64; PAGE] {
        std::array::from_fn(|index| first + index as f64)
    }

    #[test]
    fn pages_come_back_and_leave_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let spill = Spill::within(folder.path());
        let places: Vec<u64> = (0..5).map(|n| spill.write(&page(1e6 * f64::from(n))).expect("written")).collect();
        for (n, place) in places.iter().enumerate().rev() {
            assert_eq!(spill.read(*place).expect("read")[..], page(1e6 * n as f64)[..]);
            assert_eq!(spill.read(*place).expect("cached")[..], page(1e6 * n as f64)[..]);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 0);
        assert!(spill.failure().is_none());
    }

    #[test]
    fn a_page_that_is_not_there_is_a_failure_to_tell() {
        let spill = Spill::default();
        assert!(spill.read(0).is_none());
        assert!(spill.failure().expect("told").contains("extents only"));
    }
}
