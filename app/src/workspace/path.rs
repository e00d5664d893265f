//! Paths into a workspace: `steps`, `lanes[0].optimizer.lr`, `lanes.*.scope`, `problem.data.name`.

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// A field or a key of a map.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
    /// Every place of a list.
    Every,
}

/// Reads a path.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    for part in text.split('.') {
        let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        match name {
            "" if rest.is_empty() || !segments.is_empty() => return Err(format!("`{text}`: a name is missing")),
            "" => {}
            "*" => segments.push(Segment::Every),
            name => segments.push(index(name).unwrap_or_else(|| Segment::Key(name.into()))),
        }
        while let Some(inner) = rest.strip_prefix('[') {
            let (place, after) = inner.split_once(']').ok_or_else(|| format!("`{text}`: `[` is not closed"))?;
            let segment = if place == "*" { Some(Segment::Every) } else { index(place) };
            segments.push(segment.ok_or_else(|| format!("`{text}`: `[{place}]` is not a place: write [0] or [*]"))?);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(format!("`{text}`: `{rest}` after `]`: write a dot between"));
        }
    }
    Ok(segments)
}

fn index(text: &str) -> Option<Segment> {
    text.parse().ok().map(Segment::Index)
}

/// Writes a path.
pub(super) fn text(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
            Segment::Every => text.push_str("[*]"),
            Segment::Key(key) if text.is_empty() => text.push_str(key),
            Segment::Key(key) => text.push_str(&format!(".{key}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let key = |key: &str| Segment::Key(key.into());
        assert_eq!(
            parse("lanes[0].optimizer.lr").unwrap(),
            [key("lanes"), Segment::Index(0), key("optimizer"), key("lr")]
        );
        assert_eq!(parse("lanes.*.scope").unwrap(), parse("lanes[*].scope").unwrap());
        assert_eq!(parse("lanes.2").unwrap(), parse("lanes[2]").unwrap());
        assert_eq!(text(&parse("a[3].b.*.c").unwrap()), "a[3].b[*].c");
        for wrong in ["", ".a", "a.", "a[", "a[x]", "a[0]b", "a..b"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
