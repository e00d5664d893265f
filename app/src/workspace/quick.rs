//! The short run of an experiment that its file describes: what `--quick` makes of a workspace.

use super::{Diagnostic, Document, EditError, Problem, Quick, WorkspaceError};

/// Who changes values here, as errors say it.
const BY: &str = "by `quick`";

impl Document {
    /// Applies the `quick` section, which is gone then: what is left runs by itself.
    ///
    /// # Errors
    /// [`WorkspaceError::Invalid`] where there is no such section, or a value of it has no place.
    pub fn quicken(&mut self) -> Result<(), WorkspaceError> {
        let Some(Quick { steps, limit, seeds, set }) = self.workspace.quick.take() else {
            let message = "it has no `quick` section, which --quick applies".to_owned();
            let hint = "add one, as quick: (steps: 20, limit: 512), or choose steps and seeds yourself".to_owned();
            return Err(self.wrong(None, message, Some(hint)));
        };
        if let Some(steps) = steps {
            self.workspace.steps = steps;
            self.changed.push(("steps".into(), BY));
        }
        if let Some(limit) = limit {
            let Problem::Network(problem) = &mut self.workspace.problem;
            problem.data.limit = Some(limit);
            self.changed.push(("problem.data.limit".into(), BY));
        }
        if let Some(seeds) = seeds {
            self.workspace.seeds = seeds;
            self.workspace.lanes.iter_mut().for_each(|lane| lane.seeds = None);
            self.changed.push(("seeds".into(), BY));
        }
        for (index, assignment) in set.iter().enumerate() {
            self.change(assignment, BY).map_err(|EditError { path, value, message, hint }| {
                self.wrong(Some(index), format!("{path} = {value}: {message}"), hint)
            })?;
        }
        Ok(())
    }

    /// What is wrong with the section, or with one of its values.
    fn wrong(&self, index: Option<usize>, message: String, hint: Option<String>) -> WorkspaceError {
        let place = index.and_then(|index| self.place(&format!("quick.set[{index}]")));
        WorkspaceError::Invalid(vec![Diagnostic::new(&self.label, &self.text, place, message, hint)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(quick: &str) -> Document {
        let text = format!(
            "(problem: Network(data: (name: \"mnist\"), model: mlp(hidden: [8])),
            lanes: [(strategy: \"a\", seeds: [4])], steps: 1000, seeds: [0, 1],
            sweep: [(path: \"lr\", values: [0.1, 0.2, 0.3])],
            {quick})"
        );
        Document::parse(&text, "x.ron").unwrap()
    }

    #[test]
    fn a_quick_run_is_the_file_with_other_values() {
        let mut quick =
            document(r#"quick: (steps: 7, limit: 64, seeds: [2], set: ["data=digits", "sweep[0].values=[0.5]"])"#);
        quick.check().unwrap();
        quick.quicken().unwrap();
        let Problem::Network(problem) = &quick.workspace.problem;
        assert_eq!((problem.data.name.as_str(), problem.data.limit), ("digits", Some(64)));
        let runs = quick.workspace.grid().unwrap();
        assert_eq!((runs.len(), runs[0].seed, quick.workspace.steps), (1, 2, 7));
        assert_eq!(runs[0].spec.optimizer.unwrap().lr(), 0.5);
        assert_eq!(quick.workspace.quick, None);
        assert!(quick.quicken().unwrap_err().to_string().starts_with("x.ron: it has no `quick` section"));
    }

    #[test]
    fn what_a_quick_run_would_get_wrong_is_found_before() {
        let refused = |quick: &str| document(quick).check().unwrap_err().to_string();
        assert_eq!(refused("quick: (steps: 0)"), "x.ron: `steps` as set by `quick`: expected at least 1 step");
        let place = refused(r#"quick: (set: ["steps=5", "stepz=1"])"#);
        assert!(place.starts_with("x.ron:4:38: stepz = 1: unknown field `stepz`"), "{place}");
        assert!(place.contains("did you mean `steps`?"), "{place}");
        assert!(refused("quick: (seeds: [1, 1])").contains("`seeds[1]` as set by `quick`: seed 1 stands here"));
    }
}
