//! The machine: start, semihosting, and the system timer, which counts instructions under QEMU.

use core::arch::{asm, naked_asm};
use core::fmt;

unsafe extern "C" {
    fn main() -> u32;
    static mut stack_bottom: u32;
    static mut stack_top: u32;
}

/// Initial stack pointer and handlers.
#[repr(C)]
struct Vectors {
    stack: *mut u32,
    handlers: [unsafe extern "C" fn() -> !; 15],
}

// SAFETY: read by the processor alone.
unsafe impl Sync for Vectors {}

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors {
    stack: &raw mut stack_top,
    handlers: [
        reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
    ],
};

/// Turns the floating-point unit on before anything uses it, paints the stack, and runs the program.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn reset() -> ! {
    naked_asm!(
        "ldr r0, =0xE000ED88", // CPACR: full access to coprocessors 10 and 11
        "ldr r1, [r0]",
        "orr r1, r1, #(0xF << 20)",
        "str r1, [r0]",
        "dsb",
        "isb",
        "ldr r0, ={bottom}",
        "mov r1, sp",
        "ldr r2, ={paint}",
        "2:",
        "str r2, [r0], #4",
        "cmp r0, r1",
        "blo 2b",
        "b {run}",
        bottom = sym stack_bottom,
        paint = const PAINT,
        run = sym run,
    )
}

const PAINT: u32 = 0xC0FF_EE00;

unsafe extern "C" fn run() -> ! {
    // SAFETY: defined by this program.
    exit(unsafe { main() })
}

unsafe extern "C" fn fault() -> ! {
    exit(99)
}

/// Bytes of stack that have ever been written.
pub fn stack_used() -> usize {
    let (mut at, top) = (&raw const stack_bottom, &raw const stack_top);
    // SAFETY: between the two symbols there is memory.
    unsafe {
        while at < top && at.read_volatile() == PAINT {
            at = at.add(1);
        }
        top.byte_offset_from(at) as usize
    }
}

/// A semihosting call.
fn call(operation: u32, argument: usize) -> u32 {
    let result;
    // SAFETY: the debugger's convention: r0 and r1 in, r0 out.
    unsafe {
        asm!("bkpt #0xAB", inout("r0") operation => result, in("r1") argument);
    }
    result
}

fn exit(code: u32) -> ! {
    // SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit.
    let arguments = [0x20026, code];
    call(0x20, arguments.as_ptr() as usize);
    loop {}
}

/// The debugger's console.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().chunks(63) {
            let mut buffer = [0; 64];
            buffer[..piece.len()].copy_from_slice(piece);
            call(4, buffer.as_ptr() as usize); // SYS_WRITE0
        }
        Ok(())
    }
}

/// Counts thousands of instructions by the system timer, which counts the board's reference clock of 1 MHz while QEMU's
/// `-icount shift=0` lets one instruction take a nanosecond.
pub struct Instructions(u32);

const INSTRUCTIONS_A_TICK: u64 = 1000;
const SYST_CSR: *mut u32 = 0xE000_E010 as *mut u32;
const SYST_RVR: *mut u32 = 0xE000_E014 as *mut u32;
const SYST_CVR: *mut u32 = 0xE000_E018 as *mut u32;

impl Instructions {
    pub fn start() -> Self {
        // SAFETY: registers of the processor.
        unsafe {
            SYST_RVR.write_volatile(0x00FF_FFFF);
            SYST_CVR.write_volatile(0);
            SYST_CSR.write_volatile(0b001); // on, the reference clock, no interrupt
            Instructions(SYST_CVR.read_volatile())
        }
    }

    /// Since the start; at most 2^24 ticks.
    pub fn passed(&self) -> u64 {
        // SAFETY: a register of the processor.
        let now = unsafe { SYST_CVR.read_volatile() };
        u64::from(self.0.wrapping_sub(now) & 0x00FF_FFFF) * INSTRUCTIONS_A_TICK
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(98)
}
