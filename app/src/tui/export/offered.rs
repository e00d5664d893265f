//! What a pane hands over while it is drawn for an export: a picture, and the exact values behind it.

use super::super::panes::PaneId;
use crate::picture::Figure;
use crate::record::number::{write_json, write_plain};

/// What a pane hands over.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// The picture, without the run's identity.
    pub figure: Figure,
    /// The exact values.
    pub table: Table,
    /// What each curve or row says at the crosshair, or last.
    pub values: Vec<(String, f64)>,
}

/// Exact values, in lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// The lines, a cell for each column.
    pub rows: Vec<Vec<Value>>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    None,
    /// A whole number.
    Whole(u64),
    /// Any number.
    Number(f64),
    /// Words.
    Text(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Table {
    /// As CSV (RFC 4180, lines end in LF): numbers read back exactly; NaN and infinities are `NaN`, `inf`, `-inf`.
    pub fn csv(&self) -> String {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(self.columns.join(",").as_bytes());
        bytes.push(b'\n');
        for row in &self.rows {
            for (index, value) in row.iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                match value {
                    Value::None => {}
                    Value::Whole(number) => bytes.extend_from_slice(number.to_string().as_bytes()),
                    Value::Number(number) => write_plain(&mut bytes, *number),
                    Value::Text(text) if text.contains([',', '"', '\n', '\r']) => {
                        bytes.extend_from_slice(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes());
                    }
                    Value::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                }
            }
            bytes.push(b'\n');
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// As JSON: what it is, names of the columns, then the rows; NaN and infinities are the strings `"NaN"`, `"inf"`, `"-inf"`, as
    /// in records.
    pub fn json(&self, pane: PaneId, title: &str, notes: &str, identity: &[String]) -> String {
        let text = |words: &str| serde_json::Value::from(words).to_string();
        let list = |words: Vec<String>| words.join(", ");
        let mut bytes = Vec::new();
        let head = format!(
            "{{\n  \"pane\": {},\n  \"title\": {},\n  \"notes\": {},\n  \"identity\": [{}],\n  \"columns\": [{}],\n  \"rows\": [",
            text(&pane.slug()),
            text(title),
            text(notes),
            list(identity.iter().map(|line| text(line)).collect()),
            list(self.columns.iter().map(|column| text(column)).collect()),
        );
        bytes.extend_from_slice(head.as_bytes());
        for (index, row) in self.rows.iter().enumerate() {
            bytes.extend_from_slice(if index > 0 { b",\n    [" } else { b"\n    [" });
            for (index, value) in row.iter().enumerate() {
                if index > 0 {
                    bytes.extend_from_slice(b", ");
                }
                match value {
                    Value::None => bytes.extend_from_slice(b"null"),
                    Value::Whole(number) => bytes.extend_from_slice(number.to_string().as_bytes()),
                    Value::Number(number) => write_json(&mut bytes, *number),
                    Value::Text(words) => bytes.extend_from_slice(text(words).as_bytes()),
                }
            }
            bytes.push(b']');
        }
        bytes.extend_from_slice(b"\n  ]\n}\n");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |name: &str, value| vec![name.into(), Value::Whole(7), Value::Number(value), Value::None];
        Table {
            columns: vec!["name", "step", "value", "note"],
            rows: vec![row("a,\"b\"", 0.1 + 0.2), row("c", f64::NAN), row("d", -1e-300)],
        }
    }

    #[test]
    fn csv_quotes_what_needs_it_and_keeps_every_bit() {
        let text = table().csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "name,step,value,note");
        assert_eq!(lines[1], "\"a,\"\"b\"\"\",7,0.30000000000000004,");
        assert_eq!(lines[2], "c,7,NaN,");
    }

    #[test]
    fn json_reads_back() {
        let text = table().json(PaneId::Loss, "Loss", "raw", &["one \"two\"".to_owned()]);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["identity"][0], "one \"two\"");
        assert_eq!(read["rows"][0][2].as_f64(), Some(0.1 + 0.2));
        assert_eq!(read["rows"][1][2], "NaN");
        assert_eq!((&read["rows"][2][0], &read["rows"][2][3]), (&"d".into(), &serde_json::Value::Null));
        let empty = Table { columns: vec!["a"], rows: Vec::new() }.json(PaneId::Log, "", "", &[]);
        assert!(serde_json::from_str::<serde_json::Value>(&empty).is_ok());
    }
}
