//! Devices whose reads wait in the kernel until there is a packet.

use super::super::Token;
use super::Uring;
use super::entry::{Entry, Waiting};
use super::user_data::{Asked, data};
use io_uring::opcode;

impl Uring {
    /// From now on this device's reads wait, and so do all others' here: it is the kernel that knows it no better.
    pub(super) fn let_wait(&mut self, token: Token) {
        if !std::mem::replace(&mut self.all_wait, true) {
            log::info!("reads of devices wait in this kernel: before Linux 6.4 they cannot be asked not to");
        }
        if let Some(entry) = self.entry(token) {
            entry.waiting.get_or_insert_with(Waiting::new);
        }
    }

    /// Cancels the reads of this round that found no packet. What reads find is known when they have been handed over.
    pub(super) fn cancel_vain(&mut self) {
        for token in std::mem::take(&mut self.asked) {
            let Some(mut entry) = self.entries.get_mut(token as usize).and_then(Option::take) else { continue };
            if let Some(waiting) = entry.waiting.as_mut().filter(|waiting| !waiting.buffers.is_empty()) {
                waiting.window = 1;
                self.cancel_reads(token, &entry);
            }
            self.entries[token as usize] = Some(entry);
        }
    }

    /// Cancels all reads of a device that wait.
    pub(super) fn cancel_reads(&mut self, token: Token, entry: &Entry) {
        for buffer in entry.waiting.iter().flat_map(|waiting| &waiting.buffers) {
            let old = data(Asked::Read, entry.generation, *buffer, token);
            self.push(opcode::AsyncCancel::new(old).build().user_data(data(Asked::Cancel, 0, 0, token)));
        }
    }
}
