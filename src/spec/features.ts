// features.md, features-linux.md: what `features` prints.

/** Whether a part is compiled in; says nothing about the host. */
export interface Enabled {
  readonly enabled: boolean;
}

export interface CgroupFeatures {
  readonly v1: boolean;
  readonly v2: boolean;
  readonly systemd: boolean;
  readonly systemdUser: boolean;
  readonly rdma: boolean;
}

/** Lists are absent when unknown, which differs from empty. */
export interface SeccompFeatures extends Enabled {
  readonly actions?: readonly string[];
  readonly operators?: readonly string[];
  readonly archs?: readonly string[];
  /** Flags of seccomp(2) that the runtime recognises. */
  readonly knownFlags?: readonly string[];
  /** Those of them that this kernel supports. */
  readonly supportedFlags?: readonly string[];
}

export interface IntelRdtFeatures extends Enabled {
  readonly schemata?: boolean;
  readonly monitoring?: boolean;
}

export interface MemoryPolicyFeatures {
  readonly modes: readonly string[];
  readonly flags: readonly string[];
}

export interface LinuxFeatures {
  readonly namespaces: readonly string[];
  readonly capabilities: readonly string[];
  readonly cgroup: CgroupFeatures;
  readonly seccomp: SeccompFeatures;
  readonly apparmor: Enabled;
  readonly selinux: Enabled;
  readonly intelRdt: IntelRdtFeatures;
  readonly memoryPolicy: MemoryPolicyFeatures;
  readonly mountExtensions: { readonly idmap: Enabled };
  readonly netDevices: Enabled;
}

export interface Features {
  /** Oldest and newest version of runtime-spec that `ociVersion` of config.json may name. */
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks: readonly string[];
  /** Without those that are passed to the filesystem as data. */
  readonly mountOptions: readonly string[];
  readonly linux: LinuxFeatures;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Annotations of config.json that can change host state; a final dot makes a prefix. */
  readonly potentiallyUnsafeConfigAnnotations?: readonly string[];
}
