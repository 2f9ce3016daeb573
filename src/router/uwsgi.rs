//! stub
pub const KIND_PACKET: u8 = 0;
pub const GREETING: &[u8; 12] = b"uwsgi-tuntap";
pub fn encode_header(l: usize, k: u8) -> Option<[u8; 4]> {
    let l = u16::try_from(l).ok()?.to_le_bytes();
    Some([0, l[0], l[1], k])
}
#[derive(Default)]
pub struct Decoder {
    b: Vec<u8>,
    at: usize,
}
impl Decoder {
    pub fn feed(&mut self, d: &[u8]) {
        self.b.drain(..self.at);
        self.at = 0;
        self.b.extend_from_slice(d);
    }
    pub fn next_frame(&mut self) -> Option<Result<(u8, &[u8]), String>> {
        let r = &self.b[self.at..];
        if r.len() < 4 {
            return None;
        }
        let l = usize::from(u16::from_le_bytes([r[1], r[2]]));
        if r.len() < 4 + l {
            return None;
        }
        let k = r[3];
        let s = self.at + 4;
        self.at = s + l;
        Some(Ok((k, &self.b[s..s + l])))
    }
}
