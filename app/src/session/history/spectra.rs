//! The singular values of a lane's weights over the run: so many moments a site, evenly thinned as the run grows. Every one is in
//! the records.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Moments kept a site; when there are more, every second goes.
const KEPT: usize = 256;

/// One moment: the step, and the singular values, falling.
pub type Moment = (u64, Arc<[f64]>);

/// Singular values by site.
#[derive(Debug, Default)]
pub(super) struct Spectra {
    sites: RwLock<BTreeMap<u16, Site>>,
}

#[derive(Debug, Default)]
struct Site {
    moments: Vec<Moment>,
    /// Of so many moments one is kept.
    stride: usize,
    seen: usize,
    newest: Option<Moment>,
}

impl Site {
    fn push(&mut self, moment: Moment) {
        if self.seen.is_multiple_of(self.stride.max(1)) {
            self.moments.push(moment.clone());
        }
        self.seen += 1;
        self.newest = Some(moment);
        if self.moments.len() > KEPT {
            let mut index = 0;
            self.moments.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride = self.stride.max(1) * 2;
        }
    }
}

impl Spectra {
    /// Keeps the singular values of `site` at `step`.
    pub(super) fn push(&self, site: u16, step: u64, values: &[f64]) {
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        sites.entry(site).or_default().push((step, values.into()));
    }

    /// The moment at or before `step` (the newest when `None`) among those kept.
    pub(super) fn at(&self, site: u16, step: Option<u64>) -> Option<Moment> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        let site = sites.get(&site)?;
        let Some(step) = step else { return site.newest.clone() };
        let newest = site.newest.iter().filter(|moment| moment.0 <= step);
        let kept = site.moments.partition_point(|moment| moment.0 <= step).checked_sub(1);
        newest.chain(kept.map(|index| &site.moments[index])).max_by_key(|moment| moment.0).cloned()
    }

    /// The first moment.
    pub(super) fn first(&self, site: u16) -> Option<Moment> {
        self.sites.read().unwrap_or_else(PoisonError::into_inner).get(&site)?.moments.first().cloned()
    }

    /// Heap memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.values().flat_map(|site| &site.moments).map(|(_, values)| size_of_val(&values[..]) + 32).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_first_its_newest_and_what_lies_evenly_between() {
        let spectra = Spectra::default();
        for moment in 0..5000u64 {
            spectra.push(1, moment * 10, &[moment as f64]);
        }
        assert_eq!(spectra.first(1).unwrap().0, 0);
        assert_eq!(spectra.at(1, None).unwrap().0, 49_990);
        assert_eq!(spectra.at(1, Some(60_000)).unwrap().0, 49_990);
        let (step, values) = spectra.at(1, Some(25_000)).unwrap();
        assert!(step <= 25_000 && 25_000 - step <= 5000 / 128 * 10 && values[0] == step as f64 / 10.0, "{step}");
        assert!(spectra.bytes() < 257 * 40 + 1000);
        assert!(spectra.at(0, None).is_none());
    }
}
