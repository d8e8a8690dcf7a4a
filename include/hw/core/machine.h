/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: the root of all live state, and the machine lock.
 *
 * One lock protects everything in hw/, memory/ (regions), migration/ and the monitors. The main
 * loop holds it except while it polls. A CPU thread acquires it for an access that is not RAM.
 * Functions whose names end in _any may be called from any thread without the lock; all others
 * require it unless their documentation states otherwise.
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
    RUN_PRELAUNCH, /* built, has not run yet (-S) */
    RUN_RUNNING,
    RUN_PAUSED,         /* stop, or loaded from a paused source */
    RUN_DEBUG,          /* a CPU stopped at a breakpoint, a watchpoint or after a single step */
    RUN_IO_ERROR,       /* werror/rerror=stop */
    RUN_SHUTDOWN,       /* guest powered off, -no-shutdown */
    RUN_INMIGRATE,      /* waiting for a stream */
    RUN_FINISH_MIGRATE, /* source, stopped for the last pass */
    RUN_POSTMIGRATE,    /* source, guest handed over */
    RUN_INTERNAL_ERROR,
    RUN_GUEST_PANICKED, /* the guest reported a panic (pvpanic) */
    RUN_WATCHDOG,       /* a watchdog expired, and its action is to pause */
    RUN_STATES
} RunState;

/* Name of a state as query-status reports it: "running", "prelaunch". Static text. */
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

/* Classes of reset. Register rows and devices define which bits each class leaves unchanged. */
typedef enum ResetKind {
    RESET_COLD,     /* power: everything, sticky bits included */
    RESET_HOT,      /* system reset, secondary bus reset, link down */
    RESET_FUNCTION, /* FLR: one function; sticky bits stay */
    RESET_D3HOT,    /* D3hot to D0 without No_Soft_Reset */
} ResetKind;

/*
 * Calls from the lower layers to the upper ones. system/ and monitor/ set the entries before the
 * machine is built; a NULL entry is skipped. Called with the machine lock held.
 */
typedef struct MachineHooks {
    void *opaque;
    /* An event for QMP clients, valid during the call. */
    void (*event)(void *opaque, const Event *event);
    /* The guest or a client requested a reset or a power-off. The main loop carries it out. */
    void (*request)(void *opaque, ShutdownCause cause, int exit_status);
    /* The guest reported a panic, or a watchdog expired. The main loop carries out the action that
     * the user selected. */
    void (*guest_panicked)(void *opaque);
    void (*watchdog_expired)(void *opaque);
    /* The run state changed. */
    void (*run_state)(void *opaque, RunState from, RunState to);
    /* The removal of a device is complete: delete it from the description. */
    void (*device_gone)(void *opaque, Device *dev);
    /* Return a duplicate of a descriptor of set @path ("/dev/fdset/N") that permits writing
     * (@write) or reading; -1 with errno set if the set has none. The caller owns the duplicate. */
    int (*open_fdset)(void *opaque, const char *path, bool write);
    /* Complete the work that devices started: bottom halves and requests to disks. Return false if
     * a reset or power-off was requested, so that no CPU may continue before it is carried out.
     * Called only while instructions are counted (hw/core/icount.h), by the thread of the CPUs. */
    bool (*settle)(void *opaque);
} MachineHooks;

/* Called on each change between running and stopped: in order of registration when the machine
 * starts, and in reverse order when it stops. Back ends drain in it; clocks stop after them. */
typedef void RunStateFn(void *opaque, bool running, RunState state);

struct Machine {
    const char *type_name; /* "virt-0.1" */
    MemRegion memory;      /* root of the memory space */
    MemRegion io;          /* root of port I/O: 64 KiB; unclaimed ports read as all ones */
    ClockSet *clocks;
    Device *root;          /* /machine */
    GPtrArray *cpus;       /* Cpu*, by index */
    GPtrArray *ram_blocks; /* RamBlock*, in order of creation; ids are unique */
    RunState state;
    MachineHooks hooks;
    bool qtest; /* -accel qtest: CPUs exist but never run */
    /* CPU threads exist: the lock is released between their accesses and while an event loop waits.
     * Without them, the only thread may dispatch events with the lock. */
    bool threaded;
    /* CPUs translate code that is executed often into code of the host, if the host is supported.
     * Set before the first CPU is created. */
    bool translate;
    /* Built to be checked and freed again (-show): back ends check their options as at a start, but
     * open no file and no socket of the host. Set before the first back end is created. */
    bool dry_run;
    /* Virtual time counts instructions; NULL: it follows the host. Set before accel_start();
     * borrowed. */
    const struct IcountConfig *icount;
    bool seeded; /* private to random.c, as random_state: random numbers are a fixed sequence */
    uint64_t random_state;
    bool background; /* the process has no terminal (-daemonize). Set as dry_run. */
    bool has_guest;  /* false for -machine none */
    const struct BoardType *board_type;     /* hw/core/board.h; NULL: no board */
    struct Board *board;                    /* the board's structure; NULL before it is built */
    GPtrArray *chardevs;                    /* Chardev *, private to chardev/ */
    struct MonitorSet *monitors;            /* private to monitor/ */
    struct MonitorDump *dump;               /* private to monitor/ */
    struct Migration *migration;            /* private to migration/ */
    struct BlockSet *blocks;                /* private to block/ */
    struct NetSet *netdevs;                 /* private to net/ */
    GPtrArray *objects;                     /* HostObject *, private to host_object.c */
    GArray *power_buttons;                  /* private to power_button.c; NULL: none */
    GArray *keyboards;                      /* private to keyboard.c; NULL: none */
    GArray *pointers;                       /* private to pointer.c; NULL: none */
    struct VncServer *vnc;                  /* private to ui/; NULL: no VNC server */
    struct KeyQueue *key_queue;             /* private to ui/; NULL: none */
    GPtrArray *displays;                    /* Display *, private to display.c; NULL: none */
    GPtrArray *fw_cfg_files;                /* FwCfgFile *, private to hw/misc/fw_cfg_files.c */
    const struct BootOptions *boot_options; /* -boot (hw/misc/fw_cfg.h), borrowed; NULL: none */
    /* Each CPU thread applies it to itself before it executes guest code; NULL: no filter. Set
     * before CPU threads are created; borrowed. */
    const struct SandboxPolicy *sandbox;
    struct BottomHalves *bottom_halves; /* private to bottom_half.c */
    struct BootImages
        *boot; /* images the machine boots (boot_image.h), owned by system/; or NULL */
    const struct MonitorHost *host; /* operations of system/ for monitors (monitor/host.h) */
    struct CpuPoints *points;       /* break- and watchpoints (hw/core/cpu_debug.h); NULL: none */
    struct GdbServer *gdb;          /* private to debug/; NULL: no gdb server */
    GPtrArray *run_fns;             /* private to machine.c */
    GHashTable *by_id;              /* private to device.c: id -> Device* */
    GHashTable *buses;              /* private to device.c: name -> Bus* */
    unsigned anon;                  /* private to device.c: anonymous devices so far */
    FairLock lock;                  /* private: use machine_lock() */
    GThread *lock_holder;
    struct MachineWake { /* private: machine_when_unlocked() */
        void (*fn)(void *opaque);
        void *opaque;
    } wakes[4];
    unsigned n_wakes;
    unsigned entered;   /* devices on the call stack, see device_enter() */
    unsigned migrating; /* above 0: plug and unplug fail, removals by the guest are postponed */
};

/**
 * machine_new() - Create an empty machine.
 *
 * The machine has both address space roots, clocks and the top of the device tree, but no CPU and
 * no RAM. The calling thread does not hold its lock.
 *
 * Return: the machine; machine_free() undoes it.
 */
Machine *machine_new(void);

/**
 * machine_clear() - Unrealize and free every device, CPU and RAM block.
 *
 * CPU threads must have ended. Back ends (chardevs, block nodes, network devices) still exist
 * afterwards and can be freed.
 */
void machine_clear(Machine *m);

/**
 * machine_renew() - Make a cleared machine usable again.
 *
 * Called after machine_clear(), when a load failed. The machine is then as machine_new() returns
 * it.
 */
void machine_renew(Machine *m);

/* Clear the machine if that was not done yet, and free it. */
void machine_free(Machine *m);

/**
 * machine_lock() - Acquire the machine lock.
 *
 * The lock is fair (util/fairlock.h): neither the main loop nor a CPU can keep the others out for
 * longer than about a millisecond and one turn. The lock is not recursive.
 * machine_unlock() releases it.
 */
void machine_lock(Machine *m);
/* Acquire the lock if it is free. False: another thread holds it or waits for it. Any thread. */
bool machine_trylock(Machine *m);
void machine_unlock(Machine *m);
/* Return whether the calling thread holds the lock, for assertions. */
bool machine_locked(const Machine *m);

/**
 * machine_when_unlocked() - Call a function as soon as the calling thread releases the lock.
 * @fn:     wakes another thread that requires the lock; called without the lock, soon after another
 *          thread may have acquired it
 * @opaque: its argument, with a reference that @fn releases
 *
 * A thread that is woken while its waker holds the lock would find the lock taken: on a host with
 * other load it can even replace the waker, which then holds the lock without running. Called with
 * the lock; the function may be called immediately.
 */
void machine_when_unlocked(Machine *m, void (*fn)(void *opaque), void *opaque);

/**
 * machine_ram_new() - Create a RAM block that the machine owns.
 * @id:   unique name of the block in streams
 * @size: bytes, rounded up to pages
 * @err:  see below
 *
 * Return: the block, or NULL with an error if the id exists or the host cannot provide the memory.
 * machine_ram_free() or machine_clear() frees it.
 */
RamBlock *machine_ram_new(Machine *m, const char *id, uint64_t size, GError **err);
/* Like machine_ram_new(), but with memory from @from (memory/ram.h). */
RamBlock *machine_ram_new_from(Machine *m, const char *id, uint64_t size, const RamSource *from,
                               GError **err);
/* As machine_ram_new(), for a block of parts (see ram_block_new_parts()). */
RamBlock *machine_ram_new_parts(Machine *m, const char *id, const RamPart *parts, unsigned n,
                                GError **err);
void machine_ram_free(Machine *m, RamBlock *block);
/* The block with an id; NULL: none. */
RamBlock *machine_ram_find(const Machine *m, const char *id);

/**
 * machine_set_state() - Change the run state.
 *
 * Calls the run state functions, which start or stop clocks, CPUs and back ends, and reports the
 * change to the hooks. Does nothing if the machine is in the state.
 */
void machine_set_state(Machine *m, RunState state);
static inline bool machine_running(const Machine *m)
{
    return m->state == RUN_RUNNING;
}
/* Return whether devices may act: the machine runs, or qtest drives it. The memory of a stopped
 * machine must not change, because it may be in transit to another process. */
static inline bool machine_active(const Machine *m)
{
    return machine_running(m) || m->qtest;
}
/* Register a function for changes between running and stopped; remove it with the same arguments.
 */
void machine_add_run_fn(Machine *m, RunStateFn *fn, void *opaque);
void machine_remove_run_fn(Machine *m, RunStateFn *fn, void *opaque);

/* Reset every device, in two phases over the tree (state, then outputs), and then the CPUs. CPUs
 * must be stopped or excluded. */
void machine_reset(Machine *m, ResetKind kind);

void machine_request(Machine *m, ShutdownCause cause, int exit_status);
/* Report a panic of the guest, and the expiry of a watchdog. The selected action (-action panic=,
 * watchdog=) follows on the main loop; several reports before it count as one. */
void machine_guest_panicked(Machine *m);
void machine_watchdog_expired(Machine *m);

/**
 * machine_open_fdset() - Open a path that denotes a set of descriptors.
 * @path:  a path of the host
 * @write: the descriptor must permit writing; otherwise reading
 * @fd:    set if @path is "/dev/fdset/N": a duplicate, which the caller owns, or -1 with errno
 *
 * Return: false if @path does not denote a set; the caller then opens it as usual.
 */
bool machine_open_fdset(Machine *m, const char *path, bool write, int *fd);

#endif
