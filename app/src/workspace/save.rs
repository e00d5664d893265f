//! Writing a workspace so that it reads back equal.

use super::{Workspace, options};
use ron::ser::PrettyConfig;

/// The workspace as RON, every field written out.
///
/// # Errors
/// None for any workspace that was read; RON's writer for values it cannot express.
pub fn to_ron(workspace: &Workspace) -> Result<String, ron::Error> {
    let style = PrettyConfig::new().depth_limit(6).indentor("    ").new_line("\n").compact_arrays(false);
    options().to_string_pretty(workspace, style).map(|text| text + "\n")
}
