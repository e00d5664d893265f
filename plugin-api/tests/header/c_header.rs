//! Just enough of C to read our own header: its constants, and its records with their fields in order.

use std::collections::BTreeMap;

/// What a header declares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// `#define NAME value`; macros with arguments are left out.
    pub constants: BTreeMap<String, String>,
    /// Records: the declarations of their fields, blanks made single.
    pub records: BTreeMap<String, Vec<String>>,
}

/// Reads a header that `cbindgen` wrote.
pub fn parse(text: &str) -> Header {
    let mut header = Header::default();
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    for line in code.lines() {
        if let Some((name, value)) = line.strip_prefix("#define ").and_then(|rest| rest.split_once(' '))
            && !name.contains('(')
        {
            header.constants.insert(name.to_owned(), value.trim().to_owned());
        }
    }
    let mut rest = code.as_str();
    while let Some(start) = rest.find("typedef struct ") {
        rest = &rest[start + "typedef struct ".len()..];
        let end = rest.find([';', '{']).expect("a typedef ends");
        if rest.as_bytes()[end] == b';' {
            continue;
        }
        let name = rest[..end].trim().to_owned();
        let close = rest.find('}').expect("a record ends");
        let fields =
            rest[end + 1..close].split(';').map(|field| field.split_whitespace().collect::<Vec<_>>().join(" "));
        header.records.insert(name, fields.filter(|field| !field.is_empty()).collect());
        rest = &rest[close..];
    }
    header
}

/// The name that a field's declaration declares.
pub fn field_name(declaration: &str) -> &str {
    let name = match declaration.split_once("(*") {
        Some((_, rest)) => rest.split(')').next().unwrap_or_default(),
        None => declaration.rsplit([' ', '*']).next().unwrap_or_default(),
    };
    name.split('[').next().unwrap_or_default()
}
