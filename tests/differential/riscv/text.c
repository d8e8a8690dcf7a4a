/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Print numbers as text, for every test program. */
#include "runtime.h"

static void put_hex(u64 value)
{
    char text[17];

    for (int i = 0; i < 16; i++) {
        text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    }
    text[16] = 0;
    put_text(text);
}

void put_word(u64 value, char after)
{
    char end[2] = { after, 0 };

    put_hex(value);
    put_text(end);
}
