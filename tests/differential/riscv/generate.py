# SPDX-License-Identifier: GPL-2.0-or-later
"""Random RV64GC + Zba/Zbb/Zbc/Zbkb/Zbkx/Zbs/Zfh instruction sequences as assembler source.

A sequence is a list of items. An item is one instruction, or a few that belong together (an address
and its use, LR and SC, a counted loop), as assembler lines. Everything is derived from the given
numbers, so that any sequence can be generated again on its own.
"""
import random

SCRATCH = 512                                # layout.h
BASES = {"sp": 0, "s0": 128, "s1": 256, "a5": 200}   # offset into the scratch memory
COUNTER = "s11"                              # of counted loops; no other instruction writes it
X = ["zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
     "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
     "t5", "t6"]
DESTINATIONS = [x for x in X if x not in BASES and x != COUNTER]
TEMPORARIES = [x for x in DESTINATIONS if x != "zero"]
SHORT_X = ["s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5"]
SHORT_DESTINATIONS = ["a0", "a1", "a2", "a3", "a4"]
F = [f"f{n}" for n in range(32)]
SHORT_F = [f"f{n}" for n in range(8, 16)]
ROUNDINGS = ["rne", "rtz", "rdn", "rup", "rmm", "dyn", "dyn", "dyn"]

REGISTER_OPS = """add sub sll slt sltu xor srl sra or and addw subw sllw srlw sraw
mul mulh mulhsu mulhu mulw div divu rem remu divw divuw remw remuw
mul mulh mulhu div rem divw remw
add.uw sh1add sh2add sh3add sh1add.uw sh2add.uw sh3add.uw
andn orn xnor max maxu min minu rol ror rolw rorw bclr bext binv bset
clmul clmulh clmulr pack packh packw xperm4 xperm8""".split()
UNARY_OPS = """clz clzw ctz cpop cpopw brev8 sext.b sext.h zext.h orc.b rev8
sext.w zext.w not neg negw seqz snez""".split()
IMMEDIATE_OPS = "addi slti sltiu xori ori andi addiw addi".split()
SHIFT_OPS = [(op, 64) for op in "slli srli srai rori slli.uw bclri bexti binvi bseti".split()]
SHIFT_OPS += [(op, 32) for op in "slliw srliw sraiw roriw".split()]
LOADS = [("lb", 1), ("lbu", 1), ("lh", 2), ("lhu", 2), ("lw", 4), ("lwu", 4), ("ld", 8)]
STORES = [("sb", 1), ("sh", 2), ("sw", 4), ("sd", 8)]
BRANCHES = "beq bne blt bge bltu bgeu".split()
AMO_OPS = "swap add xor and or min max minu maxu".split()
ORDERS = ["", "", ".aq", ".rl", ".aqrl"]
FLOAT_2 = "fadd fsub fmul fdiv fadd fmul".split()
FLOAT_3 = "fmadd fmsub fnmsub fnmadd".split()
FLOAT_PLAIN_2 = "fmin fmax fsgnj fsgnjn fsgnjx".split()
COMPARES = "feq flt fle".split()
INTEGER_TYPES = ["w", "wu", "l", "lu"]

INT_SPECIALS = [0, 1, 2, 3, 7, -1, -2, 0x7f, 0x80, -0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
                0x80000000, 0xffffffff, 0x100000000, -0x80000000, -0x80000001, 1 << 63,
                (1 << 63) - 1, (1 << 63) + 1, 0x5555555555555555, 63, 64, 31, 32]


class Pick:
    """Choices from one seeded generator. random() is the only fast call of the module."""

    def __init__(self, key):
        self.random = random.Random(key).random

    def below(self, limit):
        """An integer in [0, limit)."""
        return int(self.random() * limit)

    def of(self, values):
        """One element of a list."""
        return values[int(self.random() * len(values))]

    def chance(self, probability):
        """True with this probability."""
        return self.random() < probability

    def bits(self, count):
        """A uniform integer of at most 64 bits."""
        return (int(self.random() * (1 << 32)) << 32 | int(self.random() * (1 << 32))) >> 64 - count


def register_op(p):
    op = p.of(REGISTER_OPS)
    return [f"{op} {p.of(DESTINATIONS)}, {p.of(X)}, {p.of(X)}"]


def unary_op(p):
    return [f"{p.of(UNARY_OPS)} {p.of(DESTINATIONS)}, {p.of(X)}"]


def count_trailing(p):
    """ctzw of a word that is not zero: for zero, QEMU 7.2 continues into the upper word."""
    t = p.of(TEMPORARIES)
    return [f"bseti {t}, {p.of(X)}, {p.below(32)}", f"ctzw {p.of(DESTINATIONS)}, {t}"]


def immediate_op(p):
    imm = p.of([0, 1, -1, 2047, -2048, 8, -8]) if p.chance(.2) else p.below(4096) - 2048
    return [f"{p.of(IMMEDIATE_OPS)} {p.of(DESTINATIONS)}, {p.of(X)}, {imm}"]


def shift_op(p):
    op, width = p.of(SHIFT_OPS)
    return [f"{op} {p.of(DESTINATIONS)}, {p.of(X)}, {p.below(width)}"]


def upper(p):
    op = p.of(["lui", "auipc", "lui"])
    rd, imm = p.of(DESTINATIONS), p.below(1 << 20)
    if p.chance(.4):
        return [f"{op} {rd}, {imm}", f"{p.of(['addi', 'addiw'])} {rd}, {rd}, {p.below(4096) - 2048}"]
    return [f"{op} {rd}, {imm}"]


def place(p, size):
    """An operand that addresses size bytes of the scratch memory, often misaligned."""
    base = p.of(list(BASES))
    offset = p.below(SCRATCH - size + 1)
    if p.chance(.6):
        offset -= offset % size
    return f"{offset - BASES[base]}({base})"


def load(p):
    op, size = p.of(LOADS)
    return [f"{op} {p.of(DESTINATIONS)}, {place(p, size)}"]


def store(p):
    op, size = p.of(STORES)
    return [f"{op} {p.of(X)}, {place(p, size)}"]


def float_memory(p):
    op, size = p.of([("flh", 2), ("fsh", 2), ("flw", 4), ("fsw", 4), ("fld", 8), ("fsd", 8)])
    return [f"{op} {p.of(F)}, {place(p, size)}"]


def indexed(p):
    """An address computed from a register of any value."""
    t = p.of(TEMPORARIES)
    op, size = p.of(LOADS + STORES)
    lines = [f"andi {t}, {p.of(X)}, {p.of([0xf8, 0xff, 0x78])}"]
    lines.append(p.of([f"add {t}, {t}, sp", f"sh1add {t}, {t}, sp", f"add {t}, s0, {t}"]))
    register = p.of(DESTINATIONS) if op.startswith("l") else p.of(X)
    lines.append(f"{op} {register}, {p.below(120)}({t})")
    return lines


def aligned_base(p, size):
    """Lines that load an aligned address into a register, and the register."""
    if p.chance(.5):
        return [], p.of(list(BASES))
    t = p.of(TEMPORARIES)
    return [f"addi {t}, sp, {p.below(SCRATCH // size) * size}"], t


def amo(p):
    suffix, size = p.of([("w", 4), ("d", 8)])
    lines, base = aligned_base(p, size)
    order = p.of(ORDERS)
    return lines + [f"amo{p.of(AMO_OPS)}.{suffix}{order} {p.of(DESTINATIONS)}, {p.of(X)}, ({base})"]


def reserved(p):
    """LR and SC with only register operations between them; an SC alone fails."""
    suffix, size = p.of([("w", 4), ("d", 8)])
    lines, base = aligned_base(p, size)
    if p.chance(.8):
        rd = p.of([x for x in DESTINATIONS if x != base])
        lines.append(f"lr.{suffix}{p.of(['', '.aq'])} {rd}, ({base})")
        lines += [line for _ in range(p.below(3)) for line in register_op(p)
                  if line.split()[1] != base + ","]
    result = p.of(DESTINATIONS)
    return lines + [f"sc.{suffix}{p.of(['', '.rl'])} {result}, {p.of(X)}, ({base})"]


def float_arithmetic(p):
    fmt, rm = p.of("sdh"), p.of(ROUNDINGS)
    kind = p.random()
    rd, a, b, c = p.of(F), p.of(F), p.of(F), p.of(F)
    if kind < .5:
        return [f"{p.of(FLOAT_2)}.{fmt} {rd}, {a}, {b}, {rm}"]
    if kind < .62:
        return [f"fsqrt.{fmt} {rd}, {a}, {rm}"]
    return [f"{p.of(FLOAT_3)}.{fmt} {rd}, {a}, {b}, {c}, {rm}"]


def float_compare(p):
    fmt = p.of("sdh")
    kind = p.random()
    if kind < .45:
        return [f"{p.of(FLOAT_PLAIN_2)}.{fmt} {p.of(F)}, {p.of(F)}, {p.of(F)}"]
    if kind < .8:
        return [f"{p.of(COMPARES)}.{fmt} {p.of(DESTINATIONS)}, {p.of(F)}, {p.of(F)}"]
    return [f"fclass.{fmt} {p.of(DESTINATIONS)}, {p.of(F)}"]


def float_convert(p):
    fmt, rm, kind = p.of("sdh"), p.of(ROUNDINGS), p.random()
    integer = p.of(INTEGER_TYPES)
    if kind < .4:
        return [f"fcvt.{integer}.{fmt} {p.of(DESTINATIONS)}, {p.of(F)}, {rm}"]
    if kind < .7:
        exact = fmt == "d" and integer.startswith("w")
        return [f"fcvt.{fmt}.{integer} {p.of(F)}, {p.of(X)}" + ("" if exact else f", {rm}")]
    if fmt == "h":
        to, exact = p.of([("h.s", False), ("h.d", False), ("s.h", True), ("d.h", True)])
        return [f"fcvt.{to} {p.of(F)}, {p.of(F)}" + ("" if exact else f", {rm}")]
    return [f"fcvt.s.d {p.of(F)}, {p.of(F)}, {rm}" if fmt == "s" else
            f"fcvt.d.s {p.of(F)}, {p.of(F)}"]


def float_move(p):
    return [p.of([f"fmv.x.w {p.of(DESTINATIONS)}, {p.of(F)}", f"fmv.w.x {p.of(F)}, {p.of(X)}",
                  f"fmv.x.h {p.of(DESTINATIONS)}, {p.of(F)}", f"fmv.h.x {p.of(F)}, {p.of(X)}",
                  f"fmv.x.d {p.of(DESTINATIONS)}, {p.of(F)}", f"fmv.d.x {p.of(F)}, {p.of(X)}"])]


def float_status(p):
    """Reads and writes of fcsr that leave a legal rounding mode."""
    rd, t = p.of(DESTINATIONS), p.of(TEMPORARIES)
    return p.of([
        [f"frcsr {rd}"], [f"frflags {rd}"], [f"frrm {rd}"],
        [f"fsrmi {rd}, {p.below(5)}"], [f"fsrmi {rd}, {p.below(5)}"],
        [f"fsflagsi {rd}, {p.below(32)}"], [f"fsflags {rd}, {p.of(X)}"], [f"fsflags zero"
                                                                          f", {p.of(X)}"],
        [f"andi {t}, {p.of(X)}, 0x7f", f"fscsr {rd}, {t}"],
        [f"andi {t}, {p.of(X)}, 3", f"fsrm {rd}, {t}"],
        [f"csrrs {rd}, fflags, {p.of(X)}"], [f"csrrc {rd}, fflags, {p.of(X)}"],
        [f"csrrsi {rd}, fflags, {p.below(32)}"], [f"csrrci {rd}, fcsr, {p.below(32)}"],
        [f"csrrc {rd}, frm, {p.of(X)}"], [f"csrrc {rd}, fcsr, {p.of(X)}"],
    ])


def compressed_integer(p):
    rd, short, other = p.of(TEMPORARIES), p.of(SHORT_DESTINATIONS), p.of(SHORT_X)
    source, imm = p.of(X[1:]), p.below(64) - 32
    return [p.of([
        f"c.addi {rd}, {imm or 1}", f"c.addiw {rd}, {imm}", f"c.li {rd}, {imm}",
        f"c.lui {rd}, {(p.below(31) + 1) if imm < 0 else 0xfffe0 + p.below(32)}",
        f"c.slli {rd}, {p.below(63) + 1}", f"c.srli {short}, {p.below(63) + 1}",
        f"c.srai {short}, {p.below(63) + 1}", f"c.andi {short}, {imm}",
        f"c.{p.of(['sub', 'xor', 'or', 'and', 'subw', 'addw'])} {short}, {other}",
        f"c.mv {rd}, {source}", f"c.add {rd}, {source}", "c.nop",
        f"c.addi4spn {short}, sp, {p.below(255) * 4 + 4}"])]


def compressed_memory(p):
    base = p.of(["s0", "s1", "a5"])
    room = SCRATCH - BASES[base]
    word = p.below(min(32, room // 4)) * 4
    double = p.below(min(32, room // 8)) * 8
    sp_word, sp_double = p.below(64) * 4, p.below(64) * 8
    short, rd = p.of(SHORT_DESTINATIONS), p.of(TEMPORARIES)
    return [p.of([
        f"c.lw {short}, {word}({base})", f"c.ld {short}, {double}({base})",
        f"c.sw {p.of(SHORT_X)}, {word}({base})", f"c.sd {p.of(SHORT_X)}, {double}({base})",
        f"c.fld {p.of(SHORT_F)}, {double}({base})", f"c.fsd {p.of(SHORT_F)}, {double}({base})",
        f"c.lwsp {rd}, {sp_word}(sp)", f"c.ldsp {rd}, {sp_double}(sp)",
        f"c.swsp {p.of(X)}, {sp_word}(sp)", f"c.sdsp {p.of(X)}, {sp_double}(sp)",
        f"c.fldsp {p.of(F)}, {sp_double}(sp)", f"c.fsdsp {p.of(F)}, {sp_double}(sp)"])]


def move_sp(p):
    """c.addi16sp and its inverse, with one access between."""
    step = 16 * (p.below(16) + 1)
    return [f"c.addi16sp sp, {step}", f"ld {p.of(DESTINATIONS)}, {p.below(16) * 8}(sp)",
            f"c.addi16sp sp, {-step}"]


def fences(p):
    return [p.of(["fence", "fence rw, w", "fence r, r", "fence.tso", "fence.i", ".4byte 0x0100000f",
                  "nop"])]


# (weight, item, needs compressed instructions)
PLAIN = [(14, register_op, False), (5, unary_op, False), (1, count_trailing, False), (7, immediate_op, False),
         (6, shift_op, False), (3, upper, False), (6, load, False), (6, store, False),
         (3, indexed, False), (3, amo, False), (2, reserved, False), (3, float_memory, False),
         (18, float_arithmetic, False), (5, float_compare, False), (7, float_convert, False),
         (3, float_move, False), (5, float_status, False), (12, compressed_integer, True),
         (7, compressed_memory, True), (1, move_sp, True), (1, fences, False)]


def by_weight(rows):
    """A list in which each item occurs as often as its weight."""
    return [item for weight, item in rows for _ in range(weight)]


WITH_C = by_weight([(w, i) for w, i, _ in PLAIN])
WITHOUT_C = by_weight([(w, i) for w, i, c in PLAIN if not c])


def forward(p, compressed, target):
    """A branch or jump to a label further on."""
    kind = p.random()
    if compressed and kind < .25:
        return [p.of([f"c.beqz {p.of(SHORT_X)}, {target}", f"c.bnez {p.of(SHORT_X)}, {target}",
                      f"c.j {target}"])]
    if kind < .75:
        return [f"{p.of(BRANCHES)} {p.of(X)}, {p.of(X)}, {target}"]
    if kind < .85:
        return [f"jal {p.of(DESTINATIONS)}, {target}"]
    t = p.of(TEMPORARIES)
    if kind < .95:
        return [f"1: auipc {t}, %pcrel_hi({target})",
                f"jalr {p.of(['zero', 'ra', t, p.of(DESTINATIONS)])}, %pcrel_lo(1b)({t})"]
    lines = [f"1: auipc {t}, %pcrel_hi({target})", f"addi {t}, {t}, %pcrel_lo(1b)"]
    if compressed:
        return lines + [p.of([f"c.jr {t}", f"c.jalr {t}"])]
    return lines + [f"ori {t}, {t}, 1", f"jalr {p.of(DESTINATIONS)}, 0({t})"]


def loop(p, items):
    """A few plain items, repeated."""
    body = [line for _ in range(p.below(5) + 1) for line in p.of(items)(p)]
    return [f"li {COUNTER}, {p.below(40) + 2}", "7:", *body, f"addi {COUNTER}, {COUNTER}, -1",
            f"bnez {COUNTER}, 7b"]


class Sequence:
    """One random sequence: its items, its branch targets, and whether it may be compressed."""

    def __init__(self, seed, program, index):
        p = Pick(f"{seed}:{program}:{index}")
        self.compressed = p.chance(.7)
        self.items = []
        plain = WITH_C if self.compressed else WITHOUT_C
        length = p.below(25) + 8
        for i in range(length):
            if p.chance(.07):
                # @ is a placeholder for the name of the sequence's copy, see source()
                target = i + 2 + p.below(6)
                self.items.append(forward(p, self.compressed, f".L@_{target}"))
            elif p.chance(.012):
                self.items.append(loop(p, plain))
            else:
                self.items.append(p.of(plain)(p))

    def source(self, name, count=None):
        """Assembler lines of the first count items, with the frame that runs them."""
        count = len(self.items) if count is None else count
        lines = [f"sequence_{name}:", ".option " + ("rvc" if self.compressed else "norvc"),
                 "ld ra, SAVED_X + 8(sp)"]
        for i, item in enumerate(self.items[:count]):
            lines.append(f".L@_{i}:")
            lines += item
        lines += [f".L@_{i}:" for i in range(count, len(self.items) + 8)]
        lines += ["sd ra, SAVED_X + 8(sp)", "call step"]
        return "\n".join(lines).replace("@", name)

    def instructions(self):
        """The number of instructions in the items."""
        return sum(len(item) for item in self.items)


def int_value(p):
    """A value for an x register."""
    kind = p.random()
    if kind < .35:
        return p.of(INT_SPECIALS)
    if kind < .6:
        return p.bits(64) >> p.below(64)
    if kind < .75:
        return -(p.bits(64) >> p.below(64))
    if kind < .85:
        return float_value(p)
    return p.bits(64)


def float_bits(p, frac_bits, exp_bits):
    """A value of one floating-point format: special, near 1, near the limits, or any."""
    kind, sign = p.random(), p.below(2)
    top = (1 << exp_bits) - 1
    bias = top >> 1
    frac = p.bits(frac_bits)
    if kind < .25:
        exp = p.of([0, 0, 1, top, top, top - 1, bias, bias + 31, bias + 63, bias + 1, bias - 1])
        frac = p.of([0, 0, 0, 1, 1 << frac_bits - 1, (1 << frac_bits) - 1, frac])
    elif kind < .65:
        exp = bias - 6 + p.below(12)
        if p.chance(.4):
            frac = frac >> p.below(frac_bits) << p.below(frac_bits) & (1 << frac_bits) - 1
    elif kind < .75:
        exp = bias + p.below(70)
    elif kind < .87:
        exp = p.below(30)
    elif kind < .92:
        exp = top - 1 - p.below(30)
    else:
        exp = p.below(top + 1)
    return (sign << exp_bits | exp) << frac_bits | frac


def float_value(p):
    """A value for an f register: a double, a boxed single, or an incorrectly boxed single."""
    kind = p.random()
    if kind < .5:
        return float_bits(p, 52, 11)
    if kind < .95:
        return 0xffffffff << 32 | float_bits(p, 23, 8)
    return p.bits(32) << 32 | float_bits(p, 23, 8)


def table(name, values):
    """A table of 64-bit words as assembler lines."""
    lines = [f".globl {name}", ".balign 8", f"{name}:"]
    for i in range(0, len(values), 8):
        lines.append(".dword " + ", ".join(hex(v & (1 << 64) - 1) for v in values[i:i + 8]))
    return lines


def program(seed, number, bodies, first_state, rounds, per_line):
    """The complete assembler source of a program that runs the bodies in sequence."""
    p = Pick(f"{seed}:{number}")
    lines = ['#include "layout.h"', ".option norelax", ".section .rodata"]
    lines += table("int_values", [int_value(p) for _ in range(1024)])
    lines += table("fp_values", [float_value(p) for _ in range(1024)])
    lines += table("first_state", [first_state]) + table("round_step", [len(bodies)])
    lines += [".globl rounds", f"rounds: .word {rounds}",
              ".globl per_line", f"per_line: .word {per_line}"]
    lines += ['.section .sequences, "ax"', ".globl sequences", "sequences:", *bodies,
              "la t0, sequences_done", "jr t0"]
    return "\n".join(lines) + "\n"
