//! The same bits each time, on a GPU as well.
#![expect(unsafe_code, reason = "calls C++")]

unsafe extern "C" {
    safe fn etude_deterministic(wanted: bool);
    #[cfg(test)]
    safe fn etude_is_deterministic() -> bool;
}

/// From now on libtorch's operations on a GPU give the same bits each time; one that cannot ends the training with its name.
/// To be called before a GPU is. On a CPU they do so in any case.
pub fn deterministic() {
    etude_deterministic(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_is_told() {
        assert!(!etude_is_deterministic());
        deterministic();
        assert!(etude_is_deterministic());
        // One that cannot says so.
        let index = tch::Tensor::from_slice(&[0i64]);
        let put = std::panic::catch_unwind(|| {
            tch::Tensor::from_slice(&[1.0f32]).put(&index, &tch::Tensor::from_slice(&[2.0f32]), false)
        });
        // Tests beside this one may share the process.
        etude_deterministic(false);
        let message = *put.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("put_ does not have a deterministic implementation"), "{message}");
    }
}
