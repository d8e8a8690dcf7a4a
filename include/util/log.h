/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The -d log: categories that are enabled by name, written to standard error or to the file of -D.
 *
 * log_on() is one load and a test. Every line is written by one system call. All functions may be
 * called from any thread unless stated otherwise. The state belongs to the process.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    LOG_IN_ASM = 1 << 0,      /* each block when it is decoded */
    LOG_EXEC = 1 << 1,        /* each executed instruction: pc and encoding */
    LOG_CPU = 1 << 2,         /* registers before each block */
    LOG_INT = 1 << 3,         /* traps and interrupts */
    LOG_MMU = 1 << 4,         /* page walks and TLB fills */
    LOG_UNIMP = 1 << 5,       /* accesses to features that the machine does not implement */
    LOG_GUEST_ERROR = 1 << 6, /* invalid accesses by the guest */
    LOG_CPU_RESET = 1 << 7,   /* registers before each reset of a CPU */
};

/* Bits of the enabled categories. Accessed atomically. */
extern uint32_t log_mask;

/** log_on() - Return whether a category is enabled. */
static inline bool log_on(uint32_t category)
{
    return (log_mask & category) != 0;
}

/** log_line() - Write a line to the log. Callers test log_on() first. */
void log_line(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

/** message() - Write a line for the user to standard error, independent of the log. */
void message(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

/**
 * log_set_prefix() - Set the prefix of messages and log lines (-msg).
 * @timestamp: the time in UTC with microseconds
 * @guest:     the name of the guest, which is copied; NULL: none
 *
 * Called before other threads exist.
 */
void log_set_prefix(bool timestamp, const char *guest);

/**
 * log_set() - Enable exactly the categories of a list.
 * @items: names separated by commas, "all" or "none", for example "in_asm,int,guest_errors"
 *
 * Return: false for an unknown name, with the categories unchanged and @err listing the names.
 */
bool log_set(const char *items, GError **err);

/** log_item() - Get the name of category @i; false behind the last one. */
bool log_item(size_t i, const char **name);

/** log_to_file() - Write the log to a file, which is truncated. False with @err if it cannot be
 * opened; the log is then unchanged. */
bool log_to_file(const char *path, GError **err);

/** log_help() - Get the help text of -d: a line with name and description for each category;
 * g_free. */
char *log_help(void);

/* Lines of guest_error() that the process writes in one second. The others are counted. */
#define GUEST_ERROR_BURST 20

/**
 * guest_error() - Report that the guest did something that a correct guest does not do.
 * @who: the name of the device
 *
 * Counts the error, and writes a line if LOG_GUEST_ERROR is enabled and the limit is not reached.
 */
void guest_error(const char *who, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/** guest_error_count() - Get the number of guest errors since the process started. */
uint64_t guest_error_count(void);

#endif
