//! The newest messages, for the screen.
#![forbid(unsafe_code)]

use crate::record::Message;
use std::sync::Arc;

/// Messages kept.
const KEPT: usize = 1000;

/// The newest messages, oldest first; the older ones are counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Messages {
    pub(super) list: Arc<Vec<Message>>,
    pub(super) dropped: u64,
}

impl Messages {
    pub(super) fn push(&mut self, message: Message) {
        let list = Arc::make_mut(&mut self.list);
        if list.len() == KEPT {
            list.remove(0);
            self.dropped += 1;
        }
        list.push(message);
    }
}
