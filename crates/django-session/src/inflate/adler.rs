//! The Adler-32 checksum (RFC 1950 §8.2).

const MODULUS: u32 = 65_521;
/// Bytes that are added up side by side.
const LANES: usize = 16;
/// So many bytes are added up before the remainder has to be taken: 5552 is the most.
const BLOCK: usize = 5_536;

pub(super) fn adler32(data: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for block in data.chunks(BLOCK) {
        let (groups, rest) = block.as_chunks::<LANES>();
        // Of each lane, the sum of its bytes, and the sum of these sums before each byte.
        let (mut sums, mut before) = ([0_u32; LANES], [0_u32; LANES]);
        for group in groups {
            for ((sum, before), byte) in sums.iter_mut().zip(&mut before).zip(group) {
                *before += *sum;
                *sum += u32::from(*byte);
            }
        }
        b += a * (groups.len() * LANES) as u32;
        for (lane, (sum, before)) in sums.iter().zip(&before).enumerate() {
            a += sum;
            b += before * LANES as u32 + sum * (LANES - lane) as u32;
        }
        for byte in rest {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % MODULUS, b % MODULUS);
    }
    b << 16 | a
}
