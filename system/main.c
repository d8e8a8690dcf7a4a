/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry point of the emulator.
 */
#include "internal.h"

int main(int argc, char **argv)
{
    Session *s = session_new(argv[0]);
    int status = session_run(s, argc, argv);

    session_free(s);
    return status;
}
