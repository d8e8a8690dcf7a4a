/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of the emulator: the options of the command line, the machine, and the requests that the
 * main loop executes next.
 *
 * Locking: functions that are called after session_start() require the machine lock and run on the
 * main loop, unless their comment states otherwise. A function with @err returns false, NULL or a
 * negative number on failure and sets *err.
 */
#ifndef SYSTEM_INTERNAL_H
#define SYSTEM_INTERNAL_H

#include <json-c/json.h>

#include "chardev/chardev.h"
#include "hw/core/board.h"
#include "hw/core/icount.h"
#include "hw/core/type_catalog.h"
#include "hw/misc/fw_cfg.h"
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

/* -add-fd */
typedef struct FdsetOption {
    int64_t set;
    int fd;
    char *opaque; /* NULL: none */
} FdsetOption;

typedef enum AccelKind {
    ACCEL_NONE, /* not available */
    ACCEL_TCG,
    ACCEL_INTERP,
    ACCEL_QTEST,
} AccelKind;

/* -vnc (options_vnc.c); strings are owned */
typedef struct VncSettings {
    bool given;
    char *address, *id, *secret, *audiodev;
    bool password, lossy;
    uint32_t share, ipv4, ipv6; /* ipv4, ipv6: PlanOnOff */
    uint64_t to, connections;
} VncSettings;

typedef struct Session {
    const char *program;
    Machine *m;
    PlanMachine *plan; /* description of the command line, later the complete one */
    PlanCatalog *catalog;
    MonitorHost host;
    SessionMode mode;

    /* the command line; strings are owned */
    GPtrArray *machine_configs; /* char*: paths */
    unsigned n_device_options;  /* -device options so far */
    char *show, *show_arg;
    char *accel, *kernel, *initrd, *append, *dtb, *bios;
    char *pci_policy; /* -machine pci-policy=; NULL: devices are placed as in QEMU */
    char *gdb_device; /* -gdb, -s */
    VncSettings vnc;
    GPtrArray *audiodevs; /* char*: ids of -audiodev */
    char *qtest_chardev, *qtest_log, *pidfile, *name, *uuid, *log_items, *log_file, *incoming,
        *loadvm;
    char *rtc;
    BootOptions boot_options; /* -boot */
    char *boot_order, *boot_once, *boot_splash;
    /* -icount and -seed (icount.c) */
    char *icount_shift;
    bool semihosting, semihosting_enable, semihosting_userspace; /* semihosting.c */
    char *semihosting_target, *semihosting_chardev, *semihosting_folder;
    GPtrArray *semihosting_args;   /* char*; NULL: no -semihosting-config */
    struct SemihostHost *semihost; /* NULL: off */
    guint64 seed;
    bool icount_sleep, icount_align, icount_given, seed_given;
    IcountConfig icount;
    char *process_name, *mem_path, *trace_file, *trace_events;
    char *dump_guest_core, *mem_merge; /* "on" or "off"; NULL: not given */
    struct json_object *net_nic;       /* -net nic, until its back end is known */
    char *net_backend;                 /* id of the back end that -net created */
    GPtrArray *numa;                   /* struct json_object*: -numa, set-numa-node (numa.c) */
    GPtrArray *serials;                /* char* */
    GPtrArray *monitors;               /* MonitorOption* */
    GPtrArray *sets;                   /* SetOption* */
    GPtrArray *fdsets;                 /* FdsetOption* */
    GPtrArray *drives;                 /* DriveOption*: options of -drive (disks.c) */
    unsigned n_nics;
    bool have_machine, have_monitor;
    SandboxPolicy sandbox;
    char *chroot_dir, *run_as; /* -run-with chroot= and user=, -chroot, -runas */
    bool confine; /* this process runs one session: privileges and the filter apply to all of it */
    bool snapshot;
    bool nographic, nodefaults, stopped, preconfig, daemonize, exit_with_parent;
    GuestActions actions; /* -action, -no-reboot, -no-shutdown, -watchdog-action */
    bool msg_timestamp, msg_guest_name, mem_lock, cpu_pm, mem_prealloc;

    /* boot.c */
    BootImages *boot;        /* images of the command line and of description files */
    BootImages *stream_boot; /* images in a migration stream; NULL: none received */
    PlanMachine *given_boot; /* the boot section for `boot` */
    struct BootHash *boot_hash;
    bool default_firmware; /* no option or file selects firmware */

    /* migration.c */
    struct PlanPolicy *policy; /* of pci_policy; NULL: none */
    struct Migration *migration;
    bool machine_given, guest_given; /* -M; other options about the guest */
    bool built;                      /* the machine exists */
    PlanMachine *own;                /* plan of the command line while plan describes a stream */

    /* running */
    GHashTable *planned; /* Device* -> PlanDevice* of the live machine */
    Qtest *qtest;
    Chardev *gdb_chardev; /* of the gdb server, if it was created for it; or NULL */
    int ready_fd, null_fd;
    bool pidfile_written; /* atomic: the signal thread reads it */
    struct Signals *signals;
    guint work; /* idle source that executes requests */
    bool shutdown_wanted, reset_wanted, panicked, watchdog_expired;
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
/* Apply one option. @name: its name without the dash. */
bool options_apply(Session *s, const char *name, const char *arg, GError **err);
/* After the last option: connect the device and the back end of -net (options_net.c). */
bool options_net_finish(Session *s, GError **err);
void options_net_free(Session *s);
/* Apply the options in the file of -readconfig (readconfig.c). */
bool readconfig(Session *s, const char *path, GError **err);
void options_free(Session *s); /* free the strings that options have set */
/* Return "-name ARG  description" for each option; g_free(). @markdown: as a table for docs/. */
char *options_help(bool markdown);

/* --- numa.c --- */
/* Parse the argument of -numa. Return an object for json_object_put(), or NULL with @err set. */
struct json_object *numa_parse(const char *arg, GError **err);
/* Check the arguments in s->numa against the description, whose CPUs and host parts are known, and
 * against each other. */
bool numa_check(Session *s, const PlanMachineType *t, GError **err);
/* numa_check(), complete the nodes, and store them in the description. No effect without
 * arguments. */
bool numa_apply(Session *s, const PlanMachineType *t, GError **err);

/* --- disks.c: -drive, -blockdev, -snapshot --- */
void disks_init(Session *s);
void disks_free(Session *s);
/* Add the back end of -drive or -blockdev to the description, or print help and set MODE_DONE. */
bool disks_drive(Session *s, const char *arg, GError **err);
bool disks_blockdev(Session *s, const char *arg, GError **err);
/* Add the back end of -hda to -hdd or -cdrom. @option: name of the option for messages; @media:
 * "disk" or "cdrom". */
bool disks_image(Session *s, const char *option, unsigned index, const char *media,
                 const char *file, GError **err);
/* Add the back end of -pflash FILE. */
bool disks_pflash(Session *s, const char *file, GError **err);
/* After the last option: add the devices of drives with if=virtio or if=scsi, and the disks of -hda
 * to -hdd and -cdrom whose drives no device names, after the devices of -device; and use drives
 * with if=pflash as flash banks. */
bool disks_add_devices(Session *s, GError **err);
/* drive_add: create a drive without a device from the text of a -drive option with id=. */
bool disks_drive_add(Session *s, const char *arg, GError **err);
/* After merging descriptions: apply -snapshot to all drives. */
bool disks_apply_snapshot(Session *s, GError **err);

/* --- smp.c --- */
/*
 * Set *cpus from the argument of -smp. Returns false with @err set for an unknown key, a number
 * outside 1 to 512, and a topology whose parts contradict each other; *cpus is then unchanged.
 */
bool smp_parse(const char *arg, unsigned *cpus, GError **err);

/* --- show.c: -show --- */
/* Print the output of -show and set MODE_DONE. */
bool show(Session *s, GError **err);
/* Set *name to the i-th word that -show accepts. Return false if there are fewer. */
bool show_name(size_t i, const char **name);

/* --- hostparts.c --- */
/* Create the character back ends of the description, which monitors require. */
bool host_chardevs_create(Session *s, GError **err);
/* Create all other host parts of the description (-netdev, -drive, -object ...). host_parts_free()
 * frees them. */
bool host_parts_create(Session *s, GError **err);
void host_parts_free(Machine *m);
/* Create or delete one part of an existing machine and of its description. @options is borrowed. */
bool host_part_add(Session *s, const char *kind, struct json_object *options, GError **err);
bool host_part_del(Session *s, const char *kind, const char *id, GError **err);

/* --- boot.c --- */
/* Store the roles and paths of the boot images in the description. */
bool boot_resolve(Session *s, GError **err);
/* Open all boot images and compare them with the sizes and digests in the description. */
bool boot_open(Session *s, GError **err);
/* Store the digests of the boot images in the description. Return 1 if this is done, 0 if a thread
 * still computes them, -1 with @err set on failure. @wait: release the machine lock until the
 * thread has ended. */
int boot_digests(Session *s, bool wait, GError **err);
/* Like boot_digests() without a thread, for a machine that is not created. */
bool boot_digests_now(Session *s, GError **err);
/* boot_use: boot the images of a migration stream; @images is consumed. boot_forget: boot the
 * images of the command line again. */
void boot_use(Session *s, const PlanMachine *wanted, BootImages *images);
void boot_forget(Session *s);
void boot_free(Session *s);
/* Write the description of the machine to @path, for the QMP command dump-machine. -machine-config
 * accepts the file. Releases the machine lock while digests are computed. */
bool boot_dump_machine(Session *s, const char *path, GError **err);

/* --- grow.c: -machine pci-policy= --- */
/* Load the policy, if one is given. False with @err set if it does not exist or is malformed. */
bool grow_load_policy(Session *s, GError **err);
/* Warn if the kernel's command line lacks parameters that growth requires. */
void grow_warn(const Session *s);
/* Return whether the policy chooses the place of a device that is added to the running machine. */
bool grow_applies(const Session *s, const PlanDevice *d);
/* Add a device to the running machine, with the controllers that it requires. The caller keeps @d.
 * Return NULL with @err set, and nothing is added, if there is no place. Machine lock held. */
Device *grow_device_add(Session *s, const PlanDevice *d, GError **err);

/* --- build.c --- */
/* Add a device to the description and to the running machine; consumes @d. NULL with @err set on
 * failure. Machine lock held. */
Device *build_add_device(Session *s, PlanDevice *d, GError **err);
/* Return the board of the resolved description, constant; NULL for an unknown board. */
const BoardType *build_board(const Session *s);
/* Load the boot images (m->boot). `remember`: only record them, because a stream contains RAM. */
bool build_boot(Session *s, bool remember, GError **err);
/* Create the board and all devices of the resolved description, and load the boot images. */
bool build_machine(Session *s, GError **err);
/* Set m->host to the functions that monitors call. */
void build_fill_host(Session *s);

/* --- migration.c --- */
/* Before the description is resolved: record whether the command line describes the guest. */
void migration_note_given(Session *s);
/* Create s->migration. With -incoming, also set the run state to RUN_INMIGRATE. */
void migration_create(Session *s);
/* Build the machine, unless a stream will describe it. */
bool migration_start_machine(Session *s, GError **err);
/* Start to receive the stream of -incoming. No-op without it. */
bool migration_await(Session *s, GError **err);

/* --- icount.c --- */
/* Let the machine count instructions and use fixed random numbers, if the options require it. */
bool icount_choose(Session *s, bool qtest, GError **err);
/* MachineHooks.settle. */
bool icount_settle(void *opaque);

/* --- runstate.c --- */
/* Set m->hooks. */
void runstate_fill_hooks(Session *s);
/* Start the accelerator, and run the guest unless -S or -incoming is given. */
bool runstate_start(Session *s, GError **err);

/* --- guest_actions.c --- */
/* Report a panic of the guest, or the expiry of a watchdog, and carry out the selected action. */
void guest_actions_panic(Session *s);
void guest_actions_watchdog(Session *s);

/* --- mainloop.c --- */
typedef struct Signals Signals;
/* Start the thread that handles SIGTERM, SIGINT and SIGHUP, and block these signals. Called before
 * any other thread is created, because threads inherit the mask. signals_stop() undoes it. */
bool signals_start(Session *s, GError **err);
/* End the thread. Called after the main loop. No-op if the thread was not started. */
void signals_stop(Session *s);
/* Run the main loop until s->quit. The machine lock is held except while waiting for events. */
void main_loop(Session *s);

/* --- gdb.c: -gdb, -s and gdbserver --- */
#define GDB_DEFAULT_DEVICE "tcp:127.0.0.1:1234"
/* Start the gdb server of -gdb. No-op without it. In a dry run, only check the options. */
bool session_gdb_open(Session *s, GError **err);
/* Return false with @err set if a gdb server is requested for a machine that has no CPU. */
bool session_gdb_check(const Session *s, GError **err);
/* Replace the gdb server by one on @device; "none": end it. */
bool session_gdb_set(Session *s, const char *device, GError **err);
/* Send the exit status of the process to the client, and end the server. */
void session_gdb_close(Session *s);

/* --- semihosting.c --- */
/* Create the host of the calls. No-op without semihosting. In a dry run, only check the options. */
bool session_semihosting_open(Session *s, GError **err);
/* Accept the calls of the CPUs that exist; no effect without semihosting. */
void session_semihosting_start(Session *s);

/* --- options_vnc.c --- */
void options_vnc_init(Session *s); /* the defaults of -vnc */
/* Start the VNC server of the command line, if there is one. vnc_stop() undoes it. */
bool session_vnc_start(Session *s, GError **err);

/* --- process.c: the host process --- */
bool process_daemonize(Session *s, GError **err); /* returns only in the child */
void process_ready(Session *s);                   /* report success to the parent that waits */
/* Create and lock the file of -pidfile. Fails if another process has locked it. */
bool process_write_pidfile(Session *s, GError **err);
/* Remove the pid file if this process has written it and the file is regular. Any thread. */
void process_remove_pidfile(const Session *s);
/* End this process with its parent process. */
bool process_follow_parent(GError **err);
/*
 * Drop the privileges that running the guest does not require: enter the -chroot folder, become the
 * -runas user, and install the system-call filter. Files of the command line are open by then;
 * threads exist, but no CPU thread has executed guest code. Fails if any of the three is not
 * possible.
 */
bool process_confine(Session *s, GError **err);
/* Return false with @err set if the user of -runas does not exist. Changes nothing. */
bool process_check_confine(const Session *s, GError **err);
/* Set the name that ps and top show, truncated to 15 bytes (prctl PR_SET_NAME). */
bool process_set_name(const char *name, GError **err);
/* Lock all current and future mappings in RAM, for -overcommit mem-lock=on. */
bool process_lock_memory(GError **err);

/* --- startup.c --- */
/* Return the first available accelerator of the list in -accel (NAME[:NAME...]). ACCEL_NONE with
 * @err set if none is available or a name is unknown. */
AccelKind session_accel(const Session *s, GError **err);
/* Complete the description and open the boot images: all checks of a start that create nothing. */
bool session_complete(Session *s, GError **err);
/* Parse the command line and complete the description, or print the output of -show. */
bool session_prepare(Session *s, int argc, char **argv, GError **err);
/* Create the host parts, monitors and, without --preconfig, the machine. On return the machine lock
 * is held. Called once. */
bool session_start(Session *s, GError **err);
/*
 * Find what would keep the completed description from starting: build the machine with
 * Machine.dry_run set, which opens no file and no socket of the host. Devices can set
 * values in the description (PLAN_PROP_DECIDED). Returns false with the error that session_start()
 * would set. session_free() frees the machine. Called once, in place of session_start().
 */
bool session_check(Session *s, GError **err);
/* Create the character device of a short form or of "chardev:ID", or find it. @id: id of a new one;
 * *created is true if it is new. NULL with @err set on failure. */
Chardev *session_chardev(Session *s, const char *id, const char *text, bool *created, GError **err);
/* Create the machine, and start it unless -S is given. Called once, even if it fails. */
bool session_start_machine(Session *s, GError **err);
/* Run the emulator with a command line. Return the exit status of the process. */
int session_run(Session *s, int argc, char **argv);

#endif
