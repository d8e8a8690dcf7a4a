/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: what everything live hangs off, and the machine lock.
 *
 * One lock covers everything in hw/, memory/ (regions), migration/ and the monitors. The main
 * loop holds it whenever it is not polling; a CPU thread takes it for an access that is not RAM.
 * Functions whose names end in _any may be called from any thread without it.
 */
#ifndef HW_CORE_MACHINE_H
#define HW_CORE_MACHINE_H

#include "hw/core/event.h"
#include "memory/memory.h"
#include "util/fairlock.h"

typedef struct Machine Machine;
typedef struct Device Device;
typedef struct Cpu Cpu;
typedef struct ClockSet ClockSet;

typedef enum RunState {
    RUN_PRELAUNCH, /* built, -S: never ran */
    RUN_RUNNING,
    RUN_PAUSED,         /* stop, or loaded from a paused source */
    RUN_IO_ERROR,       /* werror/rerror=stop */
    RUN_SHUTDOWN,       /* guest powered off, -no-shutdown */
    RUN_INMIGRATE,      /* waiting for a stream */
    RUN_FINISH_MIGRATE, /* source, stopped for the last pass */
    RUN_POSTMIGRATE,    /* source, guest given away */
    RUN_INTERNAL_ERROR,
    RUN_STATES
} RunState;

/* "running", "prelaunch" ... as query-status spells them. */
const char *run_state_name(RunState s);

typedef enum ShutdownCause {
    SHUTDOWN_HOST_ERROR,
    SHUTDOWN_HOST_QMP_QUIT,
    SHUTDOWN_HOST_SIGNAL,
    SHUTDOWN_HOST_UI,
    SHUTDOWN_HOST_QMP_SYSTEM_RESET,
    SHUTDOWN_GUEST_SHUTDOWN,
    SHUTDOWN_GUEST_RESET,
    SHUTDOWN_GUEST_PANIC,
    SHUTDOWN_CAUSES
} ShutdownCause;

/* Kinds of reset: register rows and devices know which bits each leaves alone. */
typedef enum ResetKind {
    RESET_COLD,     /* power: everything, sticky bits included */
    RESET_HOT,      /* system reset, secondary bus reset, link down */
    RESET_FUNCTION, /* FLR: one function; sticky bits stay */
    RESET_D3HOT,    /* D3hot to D0 without No_Soft_Reset */
} ResetKind;

/*
 * What the lower layers ask of the upper ones. system/ and monitor/ fill it in before the
 * machine is built; a NULL entry is skipped. Called with the machine lock held.
 */
typedef struct MachineHooks {
    void *opaque;
    /* An event for QMP clients, valid during the call. */
    void (*event)(void *opaque, const Event *event);
    /* The guest or a client asked for reset or power-off; carried out from the main loop. */
    void (*request)(void *opaque, ShutdownCause cause, int exit_status);
    /* The run state changed. */
    void (*run_state)(void *opaque, RunState from, RunState to);
    /* A device finished its removal: forget it in the description. */
    void (*device_gone)(void *opaque, Device *dev);
} MachineHooks;

/* Called on each change between running and stopped, in order of registration when starting
 * and in reverse when stopping; back ends drain there, clocks stop after them. */
typedef void RunStateFn(void *opaque, bool running, RunState state);

struct Machine {
    const char *type_name; /* "virt-0.1" */
    MemRegion memory;      /* root of the memory space */
    MemRegion io;          /* root of port I/O (64 KiB, all ones where unclaimed) */
    ClockSet *clocks;
    Device *root;          /* /machine */
    GPtrArray *cpus;       /* Cpu*, by index */
    GPtrArray *ram_blocks; /* RamBlock*, in order of creation; ids are unique */
    RunState state;
    MachineHooks hooks;
    bool qtest;            /* -accel qtest: CPUs exist but never run */
    /* Built to be checked and freed again (-show): back ends check their options like at a start,
     * but open no file and no socket of the host. Set before the first back end is created. */
    bool dry_run;
    bool has_guest;        /* false for -machine none */
    void *board;           /* the board's own structure (hw/riscv) */
    const void *board_ops; /* MachineType * (hw/core/board.h) */
    void *chardevs;        /* ChardevSet *, private to chardev/ */
    void *monitors;        /* MonitorSet *, private to monitor/ */
    void *migration;       /* Migration *, private to migration/ */
    void *blocks;          /* BlockSet *, private to block/ */
    void *netdevs;         /* NetdevSet *, private to net/ */
    void *objects;         /* private to host_object.c: the list of HostObject* */
    /* Each CPU thread applies it to itself before it executes guest code; NULL: no filter. Set
     * before CPU threads are created; borrowed. */
    const struct SandboxPolicy *sandbox;
    void *bottom_halves;   /* BottomHalves *, private to bottom_half.c */
    struct BootImages *boot; /* what the machine boots (boot_image.h); system/'s; NULL: not known */
    const void *host;      /* MonitorHost *: what monitors ask of system/ (monitor/host.h) */
    GPtrArray *run_fns;    /* private to machine.c */
    GHashTable *by_id;     /* private to device.c: id -> Device* */
    GHashTable *buses;     /* private to device.c: name -> Bus* */
    unsigned anon;         /* private to device.c: anonymous devices so far */
    FairLock lock;         /* private: use machine_lock() */
    GThread *lock_holder;
    unsigned entered;   /* devices on the call stack: see device_enter() */
    unsigned migrating; /* >0: plug and unplug are refused, ejects deferred */
};

/* An empty machine: both roots, clocks, the top of the device tree; no CPU, no RAM. */
Machine *machine_new(void);
/* Unrealize and free every device, CPU and block; what is left is the shell that back ends are
 * freed from. CPU threads must have ended. Lock held. */
void machine_clear(Machine *m);
/* After machine_clear(): an empty machine again, ready to be built (a load that failed). Lock. */
void machine_renew(Machine *m);
/* The same if it was not done yet, and free the machine. */
void machine_free(Machine *m);

/* Take the machine lock. It is granted in the order of requests (util/fairlock.h), so a CPU waits
 * for at most one turn of the main loop, and the main loop for one access of each CPU. */
void machine_lock(Machine *m);
bool machine_trylock(Machine *m); /* false: another thread holds it or waits for it */
void machine_unlock(Machine *m);
bool machine_locked(const Machine *m); /* by the calling thread: for assertions */

/* Create a RAM block owned by the machine, refused when the id exists. Lock. */
RamBlock *machine_ram_new(Machine *m, const char *id, uint64_t size, GError **err);
/* The same from given memory. */
RamBlock *machine_ram_new_from(Machine *m, const char *id, uint64_t size, const RamSource *from,
                               GError **err);
void machine_ram_free(Machine *m, RamBlock *block);
RamBlock *machine_ram_find(const Machine *m, const char *id);

/* Change the run state: runs the RunStateFn list and starts or stops clocks and CPUs (through
 * the list). No-op when it is the state already. Lock. */
void machine_set_state(Machine *m, RunState state);
static inline bool machine_running(const Machine *m)
{
    return m->state == RUN_RUNNING;
}
/* Devices may act: the machine runs, or is driven through qtest. The memory of one that is stopped
 * must not change, it may be on its way to another process. */
static inline bool machine_active(const Machine *m)
{
    return machine_running(m) || m->qtest;
}
void machine_add_run_fn(Machine *m, RunStateFn *fn, void *opaque);
void machine_remove_run_fn(Machine *m, RunStateFn *fn, void *opaque);

/* Reset every device (two phases over the tree), then CPUs. Lock; CPUs stopped or excluded. */
void machine_reset(Machine *m, ResetKind kind);

void machine_request(Machine *m, ShutdownCause cause, int exit_status);

#endif
