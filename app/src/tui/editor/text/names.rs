//! Which field of a workspace a place in its text belongs to, also while the text is half typed.
#![forbid(unsafe_code)]

/// Names that lead from the top of the RON `text` to the byte `at`: `["problem", "data", "scale"]`.
pub fn names_at(text: &str, at: usize) -> Vec<String> {
    let mut stack: Vec<Option<String>> = Vec::new();
    let mut name: Option<String> = None;
    let mut letters = text.char_indices().peekable();
    let mut word = String::new();
    while let Some((place, letter)) = letters.next() {
        // A word that the place lies within is read to its end: it may be the field's name.
        let in_word = letter.is_alphanumeric() || letter == '_';
        if place >= at && (word.is_empty() || !in_word) {
            let named = letter == ':' || (letter == ' ' && text[place..].trim_start().starts_with(':'));
            if named && !word.is_empty() {
                name = Some(word);
            }
            break;
        }
        match letter {
            _ if in_word => word.push(letter),
            '/' if letters.peek().is_some_and(|(_, next)| *next == '/') => {
                while letters.next_if(|(place, letter)| *letter != '\n' && *place < at).is_some() {}
            }
            '"' => {
                while let Some((_, letter)) = letters.next() {
                    match letter {
                        '"' => break,
                        '\\' => {
                            letters.next();
                        }
                        _ => {}
                    }
                }
                word.clear();
            }
            ':' => name = Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()),
            '(' | '[' | '{' => {
                stack.push(name.take());
                word.clear();
            }
            ')' | ']' | '}' => {
                stack.pop();
                (name, word) = (None, String::new());
            }
            ',' => (name, word) = (None, String::new()),
            _ if letter.is_whitespace() => {
                // Blanks may stand before a colon.
                if !text[place..].trim_start().starts_with(':') {
                    word.clear();
                }
            }
            _ => word.clear(),
        }
    }
    stack.into_iter().flatten().chain(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_names_of_their_fields() {
        let text = "// (comment: 1\n(steps: 10, problem: Network(data: (name: \"a: (b\", scale: unit)), lanes: [\n (strategy: \"x\", optimizer: sgd(lr: 0.1), sco";
        let names = |place: &str| names_at(text, text.find(place).unwrap() + 1).join(".");
        assert_eq!(names("10"), "steps");
        assert_eq!(names("teps"), "steps");
        assert_eq!(names("unit"), "problem.data.scale");
        assert_eq!(names("cale"), "problem.data.scale");
        assert_eq!(names("0.1"), "lanes.optimizer.lr");
        assert_eq!(names("trategy"), "lanes.strategy");
        assert_eq!(names_at(text, text.len()), ["lanes"]);
        assert_eq!(names_at("", 0), Vec::<String>::new());
        assert_eq!(names_at("(a: (", 5), ["a"]);
    }
}
