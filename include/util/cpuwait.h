/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detection of a host that does not give the threads of a process the CPU time that they need.
 */
#ifndef UTIL_CPUWAIT_H
#define UTIL_CPUWAIT_H

#include <glib.h>
#include <stdbool.h>

#define CPU_WAIT_FOLDER "/proc/self/task"

typedef struct CpuWait CpuWait;

/**
 * cpu_wait_new() - Begin to observe the threads of a process.
 * @folder: CPU_WAIT_FOLDER; a test may use another folder with files of the same format
 *
 * May be called from any thread. The observer is used by one thread at a time.
 *
 * Return: the observer; cpu_wait_free() undoes it.
 */
CpuWait *cpu_wait_new(const char *folder);
void cpu_wait_free(CpuWait *w);

/**
 * cpu_wait_sample() - Return whether a thread has lacked a CPU since the last sample.
 * @interval_us: time since the last sample, or since cpu_wait_new() at the first sample
 *
 * A thread has lacked a CPU if it was ready to run, but waited, for more than half of the interval.
 * The host accounts a wait when it ends. A thread that is ready, and has neither run nor ended a
 * wait since the last sample, is therefore counted, too. A thread that sleeps is not.
 *
 * Return: false if no thread has lacked a CPU, or if the host does not report waits.
 */
bool cpu_wait_sample(CpuWait *w, gint64 interval_us);

#endif
