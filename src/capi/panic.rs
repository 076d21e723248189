//! Stops the program where a defect of the library panics: nothing may unwind into C, and `core` cannot abort. No C
//! function reaches it: with `--cfg eqf_panic_proof` the linker proves that (`tests/panics.rs`).

#[cfg(not(eqf_panic_proof))]
use core::panic::PanicInfo;

#[cfg(not(eqf_panic_proof))]
#[panic_handler]
fn stop(_: &PanicInfo<'_>) -> ! {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    // SAFETY: raises the invalid-opcode exception, touches no memory and does not return.
    unsafe {
        core::arch::asm!("ud2", options(noreturn, nomem, nostack))
    }
    #[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
    // SAFETY: raises the undefined-instruction exception, touches no memory and does not return.
    unsafe {
        core::arch::asm!("udf #0", options(noreturn, nomem, nostack))
    }
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(any(
        target_arch = "x86",
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "arm",
        target_arch = "wasm32"
    )))]
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(eqf_panic_proof)]
mod proof {
    use core::panic::PanicInfo;

    unsafe extern "C" {
        /// Defined nowhere: what can panic cannot be linked.
        safe fn eqf_panic_is_reachable() -> !;
    }

    #[panic_handler]
    fn stop(_: &PanicInfo<'_>) -> ! {
        eqf_panic_is_reachable()
    }

    /// A panic for the linker to find: the index is not checked.
    #[unsafe(no_mangle)]
    extern "C" fn planted_panic(index: usize) -> u8 {
        b"planted"[index]
    }
}
