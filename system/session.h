/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of the emulator: what the command line asked for, the machine built from it, and what
 * the main loop has to do next.
 */
#ifndef SYSTEM_SESSION_H
#define SYSTEM_SESSION_H

#include "hw/core/board.h"
#include "hw/core/type_catalog.h"
#include "monitor/host.h"
#include "system/qtest.h"
#include "util/error.h"
#include "util/sandbox.h"

typedef enum SessionMode {
    MODE_RUN,
    MODE_DONE, /* help or -show was printed: end with status 0 */
} SessionMode;

/* -monitor, -qmp, -qmp-pretty and -mon */
typedef struct MonitorOption {
    char *chardev; /* a back end in short form, or an id with by_id */
    bool by_id, control, pretty;
} MonitorOption;

/* -set GROUP.ID.KEY=VALUE */
typedef struct SetOption {
    char *group, *id, *key, *value;
} SetOption;

typedef enum LifeAction { LIFE_DEFAULT, LIFE_PAUSE } LifeAction;

typedef struct Session {
    const char *program;
    Machine *m;
    PlanMachine *plan; /* the command line's, then the complete one */
    PlanCatalog *catalog;
    MonitorHost host;
    SessionMode mode;

    /* the command line; strings are owned */
    GPtrArray *machine_configs; /* char*: paths */
    unsigned n_device_options;  /* -device options so far */
    char *show, *show_arg;
    char *accel, *kernel, *initrd, *append, *dtb, *bios;
    char *qtest_chardev, *qtest_log, *pidfile, *name, *uuid, *log_items, *log_file, *incoming;
    char *rtc;
    char *process_name, *mem_path, *trace_file, *trace_events;
    struct json_object *net_nic; /* -net nic, until its back end is known */
    char *net_backend;           /* id of the one that -net made */
    GPtrArray *serials;          /* char* */
    GPtrArray *monitors;         /* MonitorOption* */
    GPtrArray *sets;             /* SetOption* */
    GPtrArray *drives;           /* of -drive (disks.c) */
    unsigned n_nics;
    bool have_machine, have_monitor;
    SandboxPolicy sandbox;
    char *chroot_dir, *run_as; /* -run-with chroot= and user=, -chroot, -runas */
    bool confine; /* this process runs one session: privileges and the filter apply to all of it */
    bool snapshot;
    bool nographic, nodefaults, stopped, preconfig, daemonize, no_reboot, no_shutdown,
        exit_with_parent;
    bool msg_timestamp, msg_guest_name, mem_lock, cpu_pm, mem_prealloc;

    /* boot.c */
    BootImages *boot;        /* those of the command line and of description files */
    BootImages *stream_boot; /* of the guest that a stream brought; NULL: none did */
    PlanMachine *given_boot; /* the boot section for `boot` */
    struct BootHash *boot_hash;
    bool default_firmware; /* no option or file chose another */

    /* migration.c */
    struct Migration *migration;
    bool machine_given, guest_given; /* -M; other options about the guest */
    bool built;                      /* the machine exists */
    PlanMachine *own; /* of the command line, while plan is the description of a stream */

    /* running */
    GHashTable *planned; /* Device* -> PlanDevice* of the live machine */
    Qtest *qtest;
    int ready_fd, null_fd;
    bool pidfile_written; /* atomic: the signal thread reads it */
    struct Signals *signals;
    guint work; /* idle source that carries out requests */
    bool shutdown_wanted, reset_wanted;
    ShutdownCause shutdown_cause, reset_cause;
    bool quit;
    int exit_status;
} Session;

Session *session_new(const char *program);
void session_free(Session *s);

/* --- options.c --- */
/* Parse a command line. May print help and set MODE_DONE. Return false with @err set for an unknown
 * option or an argument that is not accepted. */
bool options_parse(Session *s, int argc, char **argv, GError **err);
/* One option without its dash. */
bool options_apply(Session *s, const char *name, const char *arg, GError **err);
/* After the last option: connect what -net made (options_net.c). */
bool options_net_finish(Session *s, GError **err);
void options_net_free(Session *s);
/* -readconfig (readconfig.c) */
bool readconfig(Session *s, const char *path, GError **err);
void options_free(Session *s); /* the strings that options set */
/* "-name ARG  what" for each option; g_free. markdown: as a table for docs/. */
char *options_help(bool markdown);

/* --- disks.c: -drive, -blockdev, -snapshot --- */
void disks_init(Session *s);
void disks_free(Session *s);
/* Add the back end to the description; or print help and set MODE_DONE. */
bool disks_drive(Session *s, const char *arg, GError **err);
bool disks_blockdev(Session *s, const char *arg, GError **err);
/* -hda and the like: `option` is the option's name for messages, `media` disk or cdrom. */
bool disks_image(Session *s, const char *option, unsigned index, const char *media,
                 const char *file, GError **err);
/* After the last option: add the devices of if=virtio, after those of -device. */
bool disks_add_devices(Session *s, GError **err);
/* After merging descriptions: -snapshot for every drive. */
bool disks_apply_snapshot(Session *s, GError **err);

/* --- smp.c --- */
/*
 * Set *cpus from the argument of -smp. Returns false with @err set for an unknown key, a number
 * outside 1 to 512, and a topology whose parts contradict each other; *cpus is then unchanged.
 */
bool smp_parse(const char *arg, unsigned *cpus, GError **err);

/* --- show.c: -show --- */
bool show(Session *s, GError **err);
/* The i-th word of -show; false at the end. */
bool show_name(size_t i, const char **name);

/* --- hostparts.c --- */
/* Create the character back ends of the description, which monitors need; and every other host
 * part (-netdev, -drive, -object ...). */
bool host_chardevs_create(Session *s, GError **err);
bool host_parts_create(Session *s, GError **err);
void host_parts_free(Machine *m);
/* Create or delete one part of a running machine, and of its description. */
bool host_part_add(Session *s, const char *kind, struct json_object *options, GError **err);
bool host_part_del(Session *s, const char *kind, const char *id, GError **err);

/* --- boot.c --- */
/* Which images, and where they are: into the description. */
bool boot_resolve(Session *s, GError **err);
/* Open them all, and compare them with what the description states of them. */
bool boot_open(Session *s, GError **err);
/* As MigrationHooks.boot_digests; with `wait` it releases the machine lock until the digests are
 * known. The second is for a machine that is not built. */
int boot_digests(Session *s, bool wait, GError **err);
bool boot_digests_now(Session *s, GError **err);
/* The machine boots the images of a stream (taken), or those of the command line again. */
void boot_use(Session *s, const PlanMachine *wanted, BootImages *images);
void boot_forget(Session *s);
void boot_free(Session *s);
/* QMP dump-machine: the description of the machine as it is, which a process can start from. */
bool boot_dump_machine(Session *s, const char *path, GError **err);

/* --- build.c --- */
/* The board of the resolved description; NULL for an unknown one. */
const BoardType *build_board(const Session *s);
/* Load the boot images (m->boot); @remember: only record them, because a stream contains RAM. */
bool build_boot(Session *s, bool remember, GError **err);
/* The board, every device of the resolved description, and what it boots. */
bool build_machine(Session *s, GError **err);
void build_fill_host(Session *s);

/* --- migration.c --- */
/* Before the description is resolved: record whether the command line describes the guest. */
void migration_note_given(Session *s);
void migration_create(Session *s);
/* Build the machine, unless a stream will describe it. */
bool migration_start_machine(Session *s, GError **err);
/* Carry out -incoming. */
bool migration_await(Session *s, GError **err);

/* --- runstate.c --- */
void runstate_fill_hooks(Session *s);
/* Let the guest run (or stay stopped with -S). */
bool runstate_start(Session *s, GError **err);

/* --- mainloop.c --- */
typedef struct Signals Signals;
/* From now on SIGTERM, SIGINT and SIGHUP end the process through a thread of their own. Before any
 * other thread is made: they inherit the mask. */
bool signals_start(Session *s, GError **err);
/* No-op if they were not started. The main loop is over. */
void signals_stop(Session *s);
/* Run until session->quit. The machine lock is held except while waiting. */
void main_loop(Session *s);

/* --- process.c: the host process --- */
bool process_daemonize(Session *s, GError **err); /* returns in the child only */
void process_ready(Session *s);                   /* report success to the parent that waits */
bool process_write_pidfile(Session *s, GError **err);
/* Remove it, if it was written and is a regular file. Any thread. */
void process_remove_pidfile(const Session *s);
bool process_follow_parent(GError **err);
/*
 * Give up what the guest's execution does not require: enter the -chroot folder, become the -runas
 * user, and install the system-call filter. Files of the command line are open by then; threads
 * exist, but no CPU thread has executed guest code. Fails if any of the three is not possible.
 */
bool process_confine(Session *s, GError **err);
/* False with @err set if the user of -runas does not exist. Changes nothing. */
bool process_check_confine(const Session *s, GError **err);
/* The name that ps and top show: at most 15 bytes of it (prctl PR_SET_NAME). */
bool process_set_name(const char *name, GError **err);
/* -overcommit mem-lock=on: everything mapped now and later stays in RAM. */
bool process_lock_memory(GError **err);

/* --- startup.c --- */
/* Complete the description and open the boot images: all checks of a start that create nothing. */
bool session_complete(Session *s, GError **err);
/* The command line, up to the complete description (or what -show prints). */
bool session_prepare(Session *s, int argc, char **argv, GError **err);
/* Everything that serves the machine, and the machine unless --preconfig has it wait; its lock is
 * held. Once. */
bool session_start(Session *s, GError **err);
/*
 * Find what would keep the completed description from starting: build the machine with
 * Machine.dry_run set, which opens no file and no socket of the host. The description may be
 * changed by it (PLAN_PROP_DECIDED). Returns false with the error that session_start() would set.
 * The machine is freed by session_free(). Once, in place of session_start().
 */
bool session_check(Session *s, GError **err);
/* Build the machine and start it, unless -S is given. Once, also if it fails. */
bool session_start_machine(Session *s, GError **err);
/* Everything, from the command line to the exit status. */
int session_run(Session *s, int argc, char **argv);

#endif
