//! Go's `time.Time` as its `GobEncode` writes it, which is what a Kubernetes `metav1.Time` becomes on this wire. The
//! decoder keeps these bytes opaque: only the receiver knows which opaque value is a time.

/// Seconds from the year 1, where Go counts from, to 1970.
const UNIX_EPOCH: i64 = 62_135_596_800;

/// Unix seconds and nanoseconds of a time's bytes; `None` if they are not one. The zone is ignored: it is the same
/// instant in every zone. Go's zero time, year 1, is before 1970 and comes back negative.
pub fn go_time(bytes: &[u8]) -> Option<(i64, u32)> {
    // Version 1 is 15 bytes; version 2 adds the seconds of a zone whose offset is no whole minute.
    let (version, rest) = bytes.split_first()?;
    let (seconds, rest) = rest.split_first_chunk::<8>()?;
    let (nanos, zone) = rest.split_first_chunk::<4>()?;
    if !matches!((version, zone.len()), (1, 2) | (2, 3)) {
        return None;
    }
    let nanos = u32::from_be_bytes(*nanos);
    let seconds = i64::from_be_bytes(*seconds).checked_sub(UNIX_EPOCH)?;
    (nanos < 1_000_000_000).then_some((seconds, nanos))
}

/// The bytes of a time in UTC, as Go would write it; the reverse of [`go_time`].
pub fn go_time_bytes(unix_seconds: i64, nanos: u32) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(unix_seconds.saturating_add(UNIX_EPOCH).to_be_bytes());
    bytes.extend(nanos.to_be_bytes());
    bytes.extend((-1_i16).to_be_bytes()); // Go's mark for UTC
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_either_version_and_nothing_else_is_one() {
        let written = go_time_bytes(1_767_323_045, 6_000_000);
        assert_eq!(go_time(&written), Some((1_767_323_045, 6_000_000)));
        let mut second = written.clone();
        second[0] = 2;
        assert_eq!(go_time(&second), None, "version 2 is one byte longer");
        second.push(17);
        assert_eq!(go_time(&second), Some((1_767_323_045, 6_000_000)));
        for length in 0..written.len() {
            assert_eq!(go_time(&written[..length]), None);
        }
        let mut odd = written;
        odd[9] = 0xFF; // four billion nanoseconds
        assert_eq!(go_time(&odd), None);
        let mut early = go_time_bytes(0, 0);
        early[1..9].copy_from_slice(&i64::MIN.to_be_bytes()); // 1970 is not within reach
        assert_eq!(go_time(&early), None);
    }
}
