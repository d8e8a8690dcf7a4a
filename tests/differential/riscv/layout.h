/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data of a test program, as offsets from sp, which no random instruction changes. Read by the
 * assembler and by the compiler. generate.py contains SCRATCH_SIZE and the bases.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#define SCRATCH_SIZE 512   /* at sp; its middle is a page boundary */
#define SAVED_X      -2048 /* x0 to x31; the slot of x0 holds fcsr */
#define SAVED_F      (SAVED_X + 32 * 8)
#define SAVED_LINK   (SAVED_F + 32 * 8)

#endif
