/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and consoles of semihosting (semihost_files.c), for the operations (semihost.c).
 */
#ifndef DEBUG_SEMIHOST_INTERNAL_H
#define DEBUG_SEMIHOST_INTERNAL_H

#include "debug/semihost.h"

#define SEMIHOST_FILES 64
#define SEMIHOST_PIECE 4096 /* bytes of one transfer: a pipe that is writable accepts them */
#define SEMIHOST_NAME  4096 /* longest path with its NUL */

typedef enum SemihostKind {
    SEMIHOST_CLOSED,
    SEMIHOST_CONSOLE, /* fd is the descriptor of the process if no chardev is used */
    SEMIHOST_FEATURES,
    SEMIHOST_FILE,
} SemihostKind;

typedef struct SemihostFile {
    SemihostKind kind;
    int fd;
    uint64_t at; /* SEMIHOST_FEATURES: position */
} SemihostFile;

typedef struct SemihostFiles {
    Chardev *console;
    ChardevFront front;
    GByteArray *input; /* of the chardev, at most SEMIHOST_PIECE bytes */
    int folder;        /* O_PATH descriptor; -1: none */
    int error;         /* SYS_ERRNO */
    SemihostFile file[SEMIHOST_FILES];
} SemihostFiles;

/* A transfer that the host cannot continue now. Other results: bytes, or -1 with `error`. */
#define SEMIHOST_BUSY (-2)

bool semihost_files_init(SemihostFiles *f, const SemihostConfig *config, GError **err);
void semihost_files_close(SemihostFiles *f);
void semihost_files_free(SemihostFiles *f);

/* The open file of a handle; NULL with `error`: none. */
SemihostFile *semihost_file(SemihostFiles *f, uint64_t handle);
/* Set `error` and return -1. */
int64_t semihost_fail(SemihostFiles *f, int error);
/* Open a file or a special name. @mode: of SYS_OPEN. Return the handle or -1. */
int64_t semihost_open(SemihostFiles *f, const char *name, uint64_t mode);
int64_t semihost_close(SemihostFiles *f, SemihostFile *file);
int64_t semihost_read(SemihostFiles *f, SemihostFile *file, void *buf, size_t len);
int64_t semihost_write(SemihostFiles *f, const SemihostFile *file, const void *buf, size_t len);
int64_t semihost_seek(SemihostFiles *f, SemihostFile *file, uint64_t at);
int64_t semihost_length(SemihostFiles *f, const SemihostFile *file);
int64_t semihost_remove(SemihostFiles *f, const char *name);
int64_t semihost_rename(SemihostFiles *f, const char *from, const char *to);
/* Transfers of SYS_WRITEC, SYS_WRITE0 and SYS_READC. */
int64_t semihost_console_write(SemihostFiles *f, const void *buf, size_t len);
int64_t semihost_console_read(SemihostFiles *f, void *buf, size_t len);

#endif
