//! The twelve bytes in front of every yamux frame.

/// Bytes of a header.
pub(crate) const HEADER: usize = 12;

/// A frame's kind. There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Payload of a stream.
    Data,
    /// More bytes may be sent on a stream.
    WindowUpdate,
    /// A ping, or with ACK the answer to one.
    Ping,
    /// No more streams will be opened; the length holds the reason.
    GoAway,
}

/// The flags a frame can carry.
pub(crate) mod flag {
    pub(crate) const SYN: u16 = 1;
    pub(crate) const ACK: u16 = 2;
    pub(crate) const FIN: u16 = 4;
    pub(crate) const RST: u16 = 8;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) flags: u16,
    pub(crate) stream: u32,
    /// Bytes of payload that follow, for data; else a number.
    pub(crate) length: u32,
}

/// The parts of a header that are not yamux as we know it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Version(u8),
    Kind(u8),
}

impl Header {
    pub(crate) fn parse(bytes: [u8; HEADER]) -> Result<Self, BadHeader> {
        let [version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = bytes;
        if version != 0 {
            return Err(BadHeader::Version(version));
        }
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            other => return Err(BadHeader::Kind(other)),
        };
        Ok(Self {
            kind,
            flags: u16::from_be_bytes([f0, f1]),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }

    pub(crate) fn put(self, out: &mut Vec<u8>) {
        out.push(0);
        out.push(match self.kind {
            Kind::Data => 0,
            Kind::WindowUpdate => 1,
            Kind::Ping => 2,
            Kind::GoAway => 3,
        });
        out.extend(self.flags.to_be_bytes());
        out.extend(self.stream.to_be_bytes());
        out.extend(self.length.to_be_bytes());
    }

    pub(crate) const fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_laid_out_as_yamux_says_and_unknown_ones_are_refused() {
        let header = Header { kind: Kind::WindowUpdate, flags: flag::SYN | flag::FIN, stream: 7, length: 0x0102_0304 };
        let mut bytes = Vec::new();
        header.put(&mut bytes);
        assert_eq!(bytes, [0, 1, 0, 5, 0, 0, 0, 7, 1, 2, 3, 4]);
        assert_eq!(Header::parse(bytes.try_into().unwrap()), Ok(header));
        assert_eq!(Header::parse([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(BadHeader::Version(1)));
        assert_eq!(Header::parse([0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(BadHeader::Kind(4)));
    }
}
