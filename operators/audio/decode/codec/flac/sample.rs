//! The numbers that samples are kept in. Of damaged streams they wrap around.

use super::super::bits::Padded;
use super::residual;

/// A sample: of 32 bits, or of 64 where the difference of two channels may have 33.
pub(super) trait Sample: Copy + Default + Into<i64> {
    /// Reads a number with a sign.
    fn read(bits: &mut Padded<'_>, width: u32) -> Self;

    /// Reads the residuals of a block of `length` samples.
    fn residuals(
        bits: &mut Padded<'_>,
        rest: &mut [Self],
        length: usize,
        end: usize,
    ) -> Result<(), &'static str>;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn wrapped(value: i64) -> Self;
    fn shifted(self, bits: u32) -> Self;
    fn halved(self) -> Self;
    /// 0, or 1 where it is odd.
    fn odd(self) -> Self;
    fn float(self) -> f32;
    /// At least the largest magnitude and 1, and at most twice the larger of both.
    fn largest(all: &[Self]) -> i64;

    fn twice(self) -> Self {
        self.shifted(1)
    }
}

macro_rules! arithmetic {
    ($type:ty) => {
        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            self.wrapping_add(other)
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            self.wrapping_sub(other)
        }

        #[inline(always)]
        fn wrapped(value: i64) -> Self {
            value as $type
        }

        #[inline(always)]
        fn shifted(self, bits: u32) -> Self {
            self.wrapping_shl(bits)
        }

        #[inline(always)]
        fn halved(self) -> Self {
            self >> 1
        }

        #[inline(always)]
        fn odd(self) -> Self {
            self & 1
        }

        #[inline(always)]
        fn float(self) -> f32 {
            self as f32
        }

        fn largest(all: &[Self]) -> i64 {
            let bits = all.iter().fold(0, |bits, value| bits | (value ^ value >> (Self::BITS - 1)));
            i64::from(bits) + 1
        }
    };
}

impl Sample for i32 {
    fn read(bits: &mut Padded<'_>, width: u32) -> Self {
        signed(bits, width)
    }

    fn residuals(
        bits: &mut Padded<'_>,
        rest: &mut [Self],
        length: usize,
        end: usize,
    ) -> Result<(), &'static str> {
        residual::read(bits, rest, length, end)
    }

    arithmetic!(i32);
}

impl Sample for i64 {
    fn read(bits: &mut Padded<'_>, width: u32) -> Self {
        // The high part has the sign.
        match width.checked_sub(32) {
            None | Some(0) => signed(bits, width).into(),
            Some(more) => (Self::from(signed(bits, more)) << 32) | Self::from(bits.read(32)),
        }
    }

    fn residuals(
        bits: &mut Padded<'_>,
        rest: &mut [Self],
        length: usize,
        end: usize,
    ) -> Result<(), &'static str> {
        // Residuals have 32 bits in any case.
        let mut residuals = vec![0; rest.len()];
        residual::read(bits, &mut residuals, length, end)?;
        rest.iter_mut().zip(residuals).for_each(|(to, residual)| *to = residual.into());
        Ok(())
    }

    arithmetic!(i64);
}

/// A number of 1 to 32 bits with a sign.
pub(super) fn signed(bits: &mut Padded<'_>, width: u32) -> i32 {
    (bits.read(width) << (32 - width)) as i32 >> (32 - width)
}
