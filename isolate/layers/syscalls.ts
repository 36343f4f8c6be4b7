/**
 * The system calls that a sandbox is refused, in groups, each with its reason. Numbers are those of
 * arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h, Linux 6.18.
 */

/** A call's number on x86-64 and on AArch64; `null` where the architecture has no such call. */
export type SyscallNumbers = readonly [x86_64: number | null, aarch64: number | null];

/** Calls that are treated alike. */
export interface SyscallGroup {
  /** What a sandbox could do with them, in the form "they …". */
  reason: string;
  calls: Record<string, SyscallNumbers>;
}

/** The highest number of Linux 6.18. What comes later does not exist in a sandbox until it was looked at. */
export const LAST_KNOWN_SYSCALL = 469;

/** Refused from the start, whatever the arguments. Neither Deno nor what starts it needs them. */
export const NEVER: readonly SyscallGroup[] = [
  {
    reason: "read, change or signal other processes, past the check of kill's argument",
    calls: {
      ptrace: [101, 117],
      process_vm_readv: [310, 270],
      process_vm_writev: [311, 271],
      process_madvise: [440, 440],
      process_mrelease: [448, 448],
      kcmp: [312, 272],
      pidfd_open: [434, 434],
      pidfd_getfd: [438, 438],
      pidfd_send_signal: [424, 424],
      rt_sigqueueinfo: [129, 138],
      rt_tgsigqueueinfo: [297, 240],
      tkill: [200, 130],
    },
  },
  {
    reason: "make further processes, which outlive or hide from what measures the first",
    calls: { fork: [57, null], vfork: [58, null] },
  },
  {
    reason: "enter namespaces, in which a user has capabilities that reach much of the kernel",
    calls: { setns: [308, 268] },
  },
  {
    reason: "change or list the view of the file system, or leave it",
    calls: {
      mount: [165, 40],
      umount2: [166, 39],
      pivot_root: [155, 41],
      chroot: [161, 51],
      open_tree: [428, 428],
      open_tree_attr: [467, 467],
      move_mount: [429, 429],
      fsopen: [430, 430],
      fsconfig: [431, 431],
      fsmount: [432, 432],
      fspick: [433, 433],
      mount_setattr: [442, 442],
      statmount: [457, 457],
      listmount: [458, 458],
      name_to_handle_at: [303, 264],
      open_by_handle_at: [304, 265],
      fanotify_init: [300, 262],
      fanotify_mark: [301, 263],
    },
  },
  {
    reason: "make files that are more than their contents: devices, attributes, access lists",
    calls: {
      mknod: [133, null],
      mknodat: [259, 33],
      setxattr: [188, 5],
      lsetxattr: [189, 6],
      fsetxattr: [190, 7],
      setxattrat: [463, 463],
      removexattr: [197, 14],
      lremovexattr: [198, 15],
      fremovexattr: [199, 16],
      removexattrat: [466, 466],
      file_setattr: [469, 469],
    },
  },
  {
    reason: "run operations in the kernel that no filter of system calls sees, or its own small programs",
    calls: {
      io_uring_setup: [425, 425],
      io_uring_enter: [426, 426],
      io_uring_register: [427, 427],
      io_setup: [206, 0],
      io_submit: [209, 2],
      bpf: [321, 280],
      perf_event_open: [298, 241],
      userfaultfd: [323, 282],
    },
  },
  {
    reason: "make files in memory that no rule about paths covers, or memory that is not counted",
    calls: { memfd_create: [319, 279], memfd_secret: [447, 447], vmsplice: [278, 75] },
  },
  {
    reason: "keep keys in rings that are not divided by namespaces",
    calls: { add_key: [248, 217], request_key: [249, 218], keyctl: [250, 219] },
  },
  {
    reason:
      "share memory and messages of System V and POSIX with the machine, where it is not divided by namespaces",
    calls: {
      shmget: [29, 194],
      shmat: [30, 196],
      shmctl: [31, 195],
      semget: [64, 190],
      semop: [65, 193],
      semtimedop: [220, 192],
      semctl: [66, 191],
      msgget: [68, 186],
      msgsnd: [69, 189],
      msgrcv: [70, 188],
      msgctl: [71, 187],
      mq_open: [240, 180],
      mq_unlink: [241, 181],
    },
  },
  {
    reason: "take processors and memory nodes from others, or give their own threads precedence",
    calls: {
      sched_setaffinity: [203, 122],
      sched_setparam: [142, 118],
      sched_setscheduler: [144, 119],
      sched_setattr: [314, 274],
      setpriority: [141, 140],
      ioprio_set: [251, 30],
      mbind: [237, 235],
      set_mempolicy: [238, 237],
      get_mempolicy: [239, 236],
      set_mempolicy_home_node: [450, 450],
      migrate_pages: [256, 238],
      move_pages: [279, 239],
    },
  },
  {
    reason: "administer the machine: modules, kernels, disks, clock, name, log, security",
    calls: {
      init_module: [175, 105],
      finit_module: [313, 273],
      delete_module: [176, 106],
      kexec_load: [246, 104],
      kexec_file_load: [320, 294],
      reboot: [169, 142],
      swapon: [167, 224],
      swapoff: [168, 225],
      acct: [163, 89],
      quotactl: [179, 60],
      quotactl_fd: [443, 443],
      sync: [162, 81],
      syncfs: [306, 267],
      syslog: [103, 116],
      settimeofday: [164, 170],
      clock_settime: [227, 112],
      clock_adjtime: [305, 266],
      adjtimex: [159, 171],
      sethostname: [170, 161],
      setdomainname: [171, 162],
      lsm_set_self_attr: [460, 460],
    },
  },
  {
    reason: "change how programs are loaded and run, or are so old that nothing but attacks uses them",
    calls: {
      personality: [135, 92],
      modify_ldt: [154, null],
      iopl: [172, null],
      ioperm: [173, null],
      uselib: [134, null],
      lookup_dcookie: [212, 18],
      nfsservctl: [180, 42],
      remap_file_pages: [216, 234],
      vhangup: [153, 58],
    },
  },
];

/** Of these, what tools need that start, signal and wait for processes of their own, or ask for precedence among them. */
export const FOR_TOOLS: ReadonlySet<string> = new Set([
  "fork",
  "vfork",
  "tkill",
  "pidfd_open",
  "pidfd_send_signal",
  "rt_sigqueueinfo",
  "rt_tgsigqueueinfo",
  "memfd_create",
  "sched_setaffinity",
  "sched_setparam",
  "sched_setscheduler",
  "setpriority",
  "get_mempolicy",
]);

/** Refused once the process is in its final form: until then they bring it there. */
export const NEVER_AGAIN: readonly SyscallGroup[] = [
  {
    reason: "replace the program, and with it what our code set up",
    calls: { execve: [59, 221], execveat: [322, 281] },
  },
  {
    reason: "become another user or gain capabilities",
    calls: {
      setuid: [105, 146],
      setgid: [106, 144],
      setreuid: [113, 145],
      setregid: [114, 143],
      setresuid: [117, 147],
      setresgid: [119, 149],
      setfsuid: [122, 151],
      setfsgid: [123, 152],
      setgroups: [116, 159],
      capset: [126, 91],
    },
  },
  {
    reason: "give files to others, and so programs that run as them",
    calls: { chown: [92, null], fchown: [93, 55], lchown: [94, null], fchownat: [260, 54] },
  },
];

/** Answered as by a kernel that does not have them: what they are asked for is in memory, where no filter can look. */
export const ABSENT: SyscallGroup = {
  reason: "take their flags from memory; libraries then use the older call, whose flags are arguments",
  calls: { clone3: [435, 435], openat2: [437, 437] },
};

/** Refused when a sandbox has opened all that it opens by itself; files are then not made by opening them, either. */
export const SETTLED: readonly SyscallGroup[] = [
  {
    reason: "make, move or remove files, where nothing is to be written",
    calls: {
      rename: [82, null],
      mkdir: [83, null],
      rmdir: [84, null],
      creat: [85, null],
      link: [86, null],
      unlink: [87, null],
      symlink: [88, null],
      mkdirat: [258, 34],
      unlinkat: [263, 35],
      renameat: [264, 38],
      linkat: [265, 37],
      symlinkat: [266, 36],
      renameat2: [316, 276],
      truncate: [76, 45],
    },
  },
  {
    reason: "open to itself what its keeper has closed since",
    calls: { chmod: [90, null], fchmod: [91, 52], fchmodat: [268, 53], fchmodat2: [452, 452] },
  },
  {
    reason: "serve anything else, and fill the kernel's buffers by it",
    calls: { bind: [49, 200], listen: [50, 201] },
  },
];

/** Judged by their arguments, in `seccomp.ts`. */
export const CHECKED = {
  clone: { reason: "Threads, but neither processes nor namespaces", numbers: [56, 220] },
  unshare: {
    reason: "Only a thread's current directory, for programs that share a process",
    numbers: [272, 97],
  },
  socket: { reason: "Only the families, types and protocols that the level names", numbers: [41, 198] },
  socketpair: { reason: "As socket", numbers: [53, 199] },
  sendto: { reason: "Not what connects without a connect for Landlock to judge", numbers: [44, 206] },
  sendmsg: { reason: "As sendto", numbers: [46, 211] },
  sendmmsg: { reason: "As sendto", numbers: [307, 269] },
  ioctl: { reason: "Not what types into terminals or signals by descriptor", numbers: [16, 29] },
  fcntl: { reason: "Not what signals by descriptor", numbers: [72, 25] },
  prlimit64: { reason: "Only the process's own limits", numbers: [302, 261] },
  prctl: { reason: "Not what unties it from its parent or opens it to debuggers", numbers: [157, 167] },
  kill: { reason: "Only itself", numbers: [62, 129] },
  tgkill: { reason: "Only its own threads", numbers: [234, 131] },
  chmod: { reason: "Only to its owner's alone: 0700, which the Cache API sets", numbers: [90, null] },
  fchmod: { reason: "As chmod", numbers: [91, 52] },
  fchmodat: { reason: "As chmod", numbers: [268, 53] },
  fchmodat2: { reason: "As chmod", numbers: [452, 452] },
  open: { reason: "No new file with a setuid or setgid bit", numbers: [2, null] },
  creat: { reason: "As open", numbers: [85, null] },
  openat: { reason: "As open", numbers: [257, 56] },
} as const satisfies Record<string, { reason: string; numbers: SyscallNumbers }>;
