/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces between the files of debug/.
 */
#ifndef DEBUG_INTERNAL_H
#define DEBUG_INTERNAL_H

#include "debug/gdb.h"
#include "debug/packet.h"
#include "hw/core/cpu.h"

/* Bits of qqemu.sstep: how a single step is carried out. */
enum {
    GDB_STEP_ENABLE = 1 << 0, /* always set */
    GDB_STEP_NOIRQ = 1 << 1,  /* no interrupt is taken */
    GDB_STEP_ALL = GDB_STEP_ENABLE | GDB_STEP_NOIRQ
};

struct GdbServer {
    Machine *m;
    Chardev *c;
    ChardevFront front;
    const GdbHost *host;
    GdbParser parser;
    unsigned bad;    /* packets with a wrong checksum since the last correct one */
    GString *packet; /* the last packet sent, for retransmission; NULL: none */
    GString *reply;  /* the reply to the packet that is being processed */
    bool connected, busy;
    bool no_ack;
    bool swbreak, hwbreak; /* the client understands these stop reasons */
    bool physical;         /* memory accesses use physical addresses (PhyMemMode) */
    bool awaited;          /* the client resumed the machine and waits for a stop reply */
    bool closing;          /* disconnect after the current packet */
    unsigned step_flags;   /* GDB_STEP_* */
    unsigned cpu_g, cpu_c; /* index of the CPU of Hg and Hc packets */
    unsigned thread_next;  /* next thread of qsThreadInfo */
    char *description;     /* target description; NULL until it is read */
    guint report_source;   /* an idle source that reports a stop; or 0 */
};

/* How a resume packet lets a CPU run. */
typedef enum GdbRun { GDB_RUN_HOLD, GDB_RUN_STEP, GDB_RUN_CONTINUE } GdbRun;

/* --- server.c --- */

/* Send a packet. */
void gdb_send(GdbServer *g, const char *data, size_t len);
/* Append the reply that describes why the machine is stopped. */
void gdb_append_stop(GdbServer *g, GString *out);
/* Return the CPU with an index; NULL: none. */
Cpu *gdb_cpu(const GdbServer *g, unsigned index);
/* Let the CPUs run, CPU i as runs[i]. False: the machine cannot continue. */
bool gdb_resume(GdbServer *g, const GdbRun *runs);

/* --- commands.c, query.c --- */

/* Append "E" and a number. */
void gdb_error(GString *out, unsigned number);
#define GDB_EINVAL  22 /* the arguments are not valid */
#define GDB_EFAULT  14 /* memory or a register cannot be accessed */
#define GDB_ENOSPC  28 /* too many points */
#define GDB_EACCESS 13 /* the machine cannot continue */

/* Carry out the packet in g->parser and append the reply to g->reply. Return false if the reply is
 * sent later, when the machine stops. */
bool gdb_execute(GdbServer *g);
/* Like gdb_execute(), but for packets that begin with q or Q. There is always a reply. */
void gdb_query(GdbServer *g, const char *packet, size_t len);
/* Parse a thread id and set *index; "0" and "-1" select `any`. False: no such thread. */
bool gdb_thread_parse(const GdbServer *g, const char **text, unsigned any, unsigned *index);

#endif
