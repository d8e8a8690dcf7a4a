/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offsets into the context shared by encodings.c and enter.S, in double words. */
#ifndef ENCODINGS_H
#define ENCODINGS_H

#define IN_X       0 /* x0: fcsr */
#define IN_F       32
#define IN_MSTATUS 64
#define OUT_X      65 /* x0: fcsr */
#define OUT_F      97
#define OUT_CAUSE  129
#define OUT_EPC    130
#define OUT_TVAL   131
#define OUT_STATUS 132
#define CALLER     133 /* sp */
#define UNRESERVED 134
#define WORDS      135

#endif
