//! What `guesswork plugin list` and `guesswork plugin info` say, as text and as JSON.
#![forbid(unsafe_code)]
