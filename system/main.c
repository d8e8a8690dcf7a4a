/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry point of the emulator.
 */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("Backplane emulator version %s\n", BACKPLANE_VERSION);
        return 0;
    }
    fprintf(stderr, "%s: this build has no machine yet\n", argv[0]);
    return 1;
}
