//! The two checksums of a frame.

/// x⁸ + x² + x + 1.
const SHORT: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u8;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 0x80 == 0 { value << 1 } else { value << 1 ^ 0x07 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

/// x¹⁶ + x¹⁵ + x² + 1; the table of a byte that has `index` bytes behind it.
const LONG: [[u16; 256]; 16] = {
    let mut tables = [[0; 256]; 16];
    let mut byte = 0;
    while byte < 256 {
        let mut value = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 0x8000 == 0 { value << 1 } else { value << 1 ^ 0x8005 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 16 {
        let mut byte = 0;
        while byte < 256 {
            let value = tables[behind - 1][byte];
            tables[behind][byte] = value << 8 ^ tables[0][(value >> 8) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
};

/// CRC-8 of a frame's header.
pub fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| SHORT[usize::from(crc ^ byte)])
}

/// CRC-16 of a frame.
pub fn crc16(bytes: &[u8]) -> u16 {
    crc16_on(0, bytes)
}

/// CRC-16 of bytes behind others that have one. It is 0 behind bytes with theirs at the end.
pub fn crc16_on(mut crc: u16, bytes: &[u8]) -> u16 {
    let (sixteens, rest) = bytes.as_chunks::<16>();
    for chunk in sixteens {
        // What waits for the sum so far comes last.
        let mut next = 0;
        for index in 2..16 {
            next ^= LONG[15 - index][usize::from(chunk[index])];
        }
        let [high, low] = crc.to_be_bytes();
        next ^= LONG[15][usize::from(chunk[0] ^ high)] ^ LONG[14][usize::from(chunk[1] ^ low)];
        crc = next;
    }
    rest.iter().fold(crc, |crc, byte| crc << 8 ^ LONG[0][usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values() {
        // CRC-8/SMBUS and CRC-16/UMTS of the catalogue of parametrised CRC algorithms.
        assert_eq!(crc8(b"123456789"), 0xf4);
        assert_eq!(crc16(b"123456789"), 0xfee8);
    }

    #[test]
    fn sixteen_bytes_at_once_are_one_at_a_time() {
        let bytes: Vec<u8> = (0..100u32).map(|i| ((i * i * 37) >> 3) as u8).collect();
        for length in 0..bytes.len() {
            let slow = bytes[..length].iter().fold(0u16, |crc, &byte| {
                (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
                    if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 }
                })
            });
            assert_eq!(crc16(&bytes[..length]), slow);
            assert_eq!(crc16_on(crc16(&bytes[..length / 3]), &bytes[length / 3..length]), slow);
            assert_eq!(crc16_on(slow, &slow.to_be_bytes()), 0);
        }
    }
}
