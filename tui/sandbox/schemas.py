"""The custom resources' fields, described in our own words and notation (see schema.py).

Written from what CloudNativePG 1.30 and the Barman Cloud plugin 0.14 document; parts of a Cluster
that have nothing to do with backups are named but not looked into (`any`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tui.sandbox.schema import Rule, Schema, parse

_HEAD = """
apiVersion string -- the group and version of this object
kind string -- the kind of this object
metadata! any -- names, labels and what the server notes about the object
"""

_BACKUP_CHOICES = """
method string =barmanObjectStore in:barmanObjectStore|volumeSnapshot|plugin -- how to take the backup
online boolean -- volumeSnapshot only: hot when true, cold when false
onlineConfiguration -- volumeSnapshot only: how a hot backup is taken
  immediateCheckpoint boolean -- whether to checkpoint at once
  waitForArchive boolean =true -- whether to wait until the needed WAL is archived
pluginConfiguration -- which plugin takes the backup
  name! string -- the name of the plugin
  parameters {}string -- handed to the plugin
target string in:primary|prefer-standby -- which instance the backup is taken from
"""

_FRAGMENTS: dict[str, str] = {
    "selector": "name! string\nkey! string",
    "optional-selector": 'name string =""\nkey! string\noptional boolean',
    "name": "name! string",
    "plugin": """
name! string -- the name of the plugin
enabled boolean =true -- whether the plugin is in use
isWALArchiver boolean =false -- whether it is the one that archives WAL
parameters {}string -- handed to the plugin
""",
    "storage": """
pvcTemplate any -- what the claim looks like beyond its size
resizeInUseVolumes boolean =true -- whether volumes may grow while in use
size string -- how large, as a Kubernetes quantity
storageClass string -- which kind of storage
""",
    "image": "extensions []any\nimage! string\nmajorVersion! integer",
    "azure": """
connectionString <selector>
inheritFromAzureAD boolean
storageAccount <selector>
storageKey <selector>
storageSasToken <selector>
useDefaultAzureCredentials boolean
""",
    "google": "applicationCredentials <selector>\ngkeEnvironment boolean",
    "s3": """
accessKeyId <selector> -- where the access key id is kept
inheritFromIAMRole boolean -- whether the role of the pod is used instead of keys
region <selector> -- where the region's name is kept
secretAccessKey <selector> -- where the secret key is kept
sessionToken <selector> -- where the session token is kept
""",
    "barman": """
azureCredentials <azure> -- for Azure Blob Storage
data -- base backups
  additionalCommandArgs []string
  compression string in:bzip2|gzip|lz4|snappy
  encryption string in:AES256|aws:kms
  immediateCheckpoint boolean
  jobs integer >=1 @int32
  restoreAdditionalCommandArgs []string
destinationPath! string len>=1 -- the bucket and folder, as s3://BUCKET/FOLDER
endpointCA <selector> -- the authority that signed the endpoint's certificate
endpointURL string -- where the store answers, without the bucket
googleCredentials <google> -- for Google Cloud Storage
historyTags {}string
s3Credentials <s3> -- for S3
serverName string
tags {}string
wal -- WAL files
  archiveAdditionalCommandArgs []string
  compression string in:bzip2|gzip|lz4|snappy|xz|zstd
  encryption string in:AES256|aws:kms
  maxParallel integer >=1
  restoreAdditionalCommandArgs []string
""",
}

_BACKUP = f"""
{_HEAD}
spec! %backup-immutable -- the backup that is asked for
  cluster! -- the cluster to back up
    name! string -- its name, in the same namespace
{_BACKUP_CHOICES.replace(chr(10), chr(10) + "  ")}
status -- what became of it
  azureCredentials <azure>
  backupId string -- barman's id of the backup, the folder under base/
  backupLabelFile string @byte
  backupName string -- the name barman gave it
  beginLSN string -- where in the WAL it begins
  beginWal string -- the first WAL file it needs
  commandError string
  commandOutput string
  destinationPath string
  encryption string
  endLSN string -- where in the WAL it ends
  endWal string -- the last WAL file it needs
  endpointCA <selector>
  endpointURL string
  error string -- what went wrong
  googleCredentials <google>
  instanceID -- where it was taken
    ContainerID string
    podName string
    sessionID string
  majorVersion integer
  method string
  online boolean
  phase string -- how far it is
  pluginMetadata {{}}string
  reconciliationStartedAt string @date-time
  reconciliationTerminatedAt string @date-time
  s3Credentials <s3>
  serverName string
  snapshotBackupStatus
    elements []
      name! string
      tablespaceName string
      type! string
  startedAt string @date-time
  stoppedAt string @date-time
  tablespaceMapFile string @byte
"""

_SCHEDULED = f"""
{_HEAD}
spec! -- when to back up what
  backupOwnerReference string =none in:none|self|cluster -- who owns the Backups that are made
  cluster! %cluster-immutable -- the cluster to back up
    name! string -- its name, in the same namespace
  immediate boolean -- whether to take one when the schedule is created
  schedule! string -- six fields, seconds first
  suspend boolean -- whether it rests
{_BACKUP_CHOICES.replace(chr(10), chr(10) + "  ")}
status -- where the schedule is
  error string
  lastCheckTime string @date-time
  lastScheduleTime string @date-time
  nextScheduleTime string @date-time
"""

_STORE = f"""
{_HEAD}
spec! -- where backups and WAL are kept
  configuration! <barman> %no-server-name -- the store and how to reach it
  instanceSidecarConfiguration -- the container that carries them there
    additionalContainerArgs []string %no-log-level
    env []
      name! string
      value string
      valueFrom any
    logLevel string =info in:error|warning|info|debug|trace
    resources any
    retentionPolicyIntervalSeconds integer =1800
  retentionPolicy string ~^[1-9][0-9]*[dwm]$ -- how long backups are kept, as 30d, 4w or 12m
status -- what can be recovered
  serverRecoveryWindow {{}}
    firstRecoverabilityPoint string @date-time
    lastFailedBackupTime string @date-time
    lastSuccessfulBackupTime string @date-time
"""

_CLUSTER = f"""
{_HEAD}
spec! %one-image -- the PostgreSQL cluster that is wanted
  affinity any
  backup -- backups without a plugin
    barmanObjectStore <barman>
    retentionPolicy string ~^[1-9][0-9]*[dwm]$
    target string =prefer-standby in:primary|prefer-standby
    volumeSnapshot
      annotations {{}}string
      className string
      labels {{}}string
      online boolean =true
      onlineConfiguration ={{"immediateCheckpoint":false,"waitForArchive":true}}
        immediateCheckpoint boolean
        waitForArchive boolean =true
      snapshotOwnerReference string =none in:none|cluster|backup
      tablespaceClassName {{}}string
      walClassName string
  bootstrap -- where the first data come from
    initdb any
    pg_basebackup any
    recovery
      backup
        endpointCA <selector>
        name! string
      database string
      owner string
      recoveryTarget
        backupID string
        exclusive boolean
        targetImmediate boolean
        targetLSN string
        targetName string
        targetTLI string
        targetTime string
        targetXID string
      secret <name>
      source string
      volumeSnapshots any
  certificates any
  description string
  enablePDB boolean =true
  enableSuperuserAccess boolean =false
  env []any
  envFrom []any
  ephemeralVolumeSource any
  ephemeralVolumesSizeLimit any
  externalClusters [] -- clusters elsewhere, to recover from or to follow
    barmanObjectStore <barman>
    connectionParameters {{}}string
    name! string
    password <optional-selector>
    plugin <plugin>
    sslCert <optional-selector>
    sslKey <optional-selector>
    sslRootCert <optional-selector>
  failoverDelay integer =0 @int32
  imageCatalogRef %catalog-kind %catalog-group
    apiGroup string
    kind! string
    major! integer
    name! string
  imageName string
  imagePullPolicy string
  imagePullSecrets []<name>
  inheritedMetadata
    annotations {{}}string
    labels {{}}string
  instances! integer =1 >=1 -- how many servers
  livenessProbeTimeout integer @int32
  logLevel string =info in:error|warning|info|debug|trace
  managed any
  maxSyncReplicas integer =0 >=0
  minSyncReplicas integer =0 >=0
  monitoring any
  nodeMaintenanceWindow
    inProgress boolean =false
    reusePVC boolean =true
  plugins []<plugin> -- CNPG-I plugins in use
  podSecurityContext any
  podSelectorRefs []any
  postgresGID integer =26 @int64
  postgresUID integer =26 @int64
  postgresql any
  primaryLease
    leaseDurationSeconds integer =15 >=1 @int32
    releasedLeaseDurationSeconds integer =1 >=1 @int32
    renewDeadlineSeconds integer =10 >=1 @int32
    retryPeriodSeconds integer =2 >=1 @int32
  primaryUpdateMethod string =restart in:switchover|restart
  primaryUpdateStrategy string =unsupervised in:unsupervised|supervised
  priorityClassName string
  probes any
  projectedVolumeTemplate any
  replica
    enabled boolean
    minApplyDelay string
    primary string
    promotionToken string
    self string
    source! string len>=1
  replicationSlots ={{"highAvailability":{{"enabled":true}}}}
    highAvailability ={{"enabled":true}}
      enabled boolean =true
      slotPrefix string =_cnpg_ ~^[0-9a-z_]*$
      synchronizeLogicalDecoding boolean
    synchronizeReplicas
      enabled! boolean =true
      excludePatterns []string
    updateInterval integer =30 >=1
  resources any
  schedulerName string
  seccompProfile any
  securityContext any
  serviceAccountName string ~^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ %account-immutable
  serviceAccountTemplate any
  smartShutdownTimeout integer =180 @int32
  startDelay integer =3600 @int32
  stopDelay integer =1800 @int32
  storage <storage> -- the volume of the data
  superuserSecret <name>
  switchoverDelay integer =3600 @int32
  tablespaces [] -- further tablespaces
    name! string
    owner any
    storage! <storage>
    temporary boolean =false
  topologySpreadConstraints []any
  walStorage <storage> -- the volume of the WAL, if it has its own
status -- how the cluster is
  availableArchitectures []
    goArch! string
    hash! string
  certificates any
  cloudNativePGCommitHash string
  cloudNativePGOperatorHash string
  conditions [] -- what is true of the cluster
    lastTransitionTime! string @date-time
    message! string
    observedGeneration integer >=0 @int64
    reason! string len>=1 ~^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
    status! string in:True|False|Unknown
    type! string
  configMapResourceVersion any
  currentPrimary string -- the instance that is the primary now
  currentPrimaryFailingSinceTimestamp string
  currentPrimaryTimestamp string
  danglingPVC []string
  demotionToken string
  firstRecoverabilityPoint string
  firstRecoverabilityPointByMethod {{}}string @date-time
  healthyPVC []string
  image string
  initializingPVC []string
  instanceNames []string
  instances integer
  instancesReportedState {{}}
    ip string
    isPrimary! boolean
    timeLineID integer
  instancesStatus {{}}[]string
  jobCount integer @int32
  lastFailedBackup string
  lastPromotionToken string
  lastSuccessfulBackup string
  lastSuccessfulBackupByMethod {{}}string @date-time
  latestGeneratedNode integer
  managedRolesStatus any
  onlineUpdateEnabled boolean
  operatorCertificateFingerprint string
  pgDataImageInfo <image>
  phase string -- what the cluster is doing
  phaseReason string
  pluginStatus []
    backupCapabilities []string
    capabilities []string
    name! string
    operatorCapabilities []string
    restoreJobHookCapabilities []string
    status string
    version! string
    walCapabilities []string
  podSelectorRefs []any
  poolerIntegrations any
  pvcCount integer @int32
  readService string
  readyInstances integer
  resizingPVC []string
  secretsResourceVersion any
  selector string
  switchReplicaClusterStatus
    inProgress boolean
  systemID string
  tablespacesStatus []
    error string
    name! string
    owner string
    state! string
  targetPgDataImageInfo <image>
  targetPrimary string -- the instance that shall be the primary
  targetPrimaryTimestamp string
  timelineID integer
  topology any
  unusablePVC []string
  writeService string
"""


def _same(value: Any, before: Any) -> bool:
    return bool(value == before)


_RULES: Mapping[str, Rule] = {
    "backup-immutable": Rule(_same, "BackupSpec is immutable once set", transition=True),
    "cluster-immutable": Rule(
        _same, "cluster reference is immutable after creation", transition=True
    ),
    "account-immutable": Rule(_same, "serviceAccountName is immutable", transition=True),
    "one-image": Rule(
        lambda spec, _: not ("imageCatalogRef" in spec and "imageName" in spec),
        "imageName and imageCatalogRef are mutually exclusive",
    ),
    "catalog-kind": Rule(
        lambda ref, _: ref.get("kind") in ("ImageCatalog", "ClusterImageCatalog"),
        "Only image catalogs are supported",
    ),
    "catalog-group": Rule(
        lambda ref, _: ref.get("apiGroup") == "postgresql.cnpg.io",
        "Only image catalogs are supported",
    ),
    "no-server-name": Rule(
        lambda configuration, _: "serverName" not in configuration,
        "use the 'serverName' plugin parameter in the Cluster resource",
        forbids="serverName",
        forbidden=True,
    ),
    "no-log-level": Rule(
        lambda args, _: not any(arg.startswith("--log-level") for arg in args),
        "do not set --log-level in additionalContainerArgs; "
        "use spec.instanceSidecarConfiguration.logLevel",
        forbidden=True,
    ),
}

_TEXTS = {
    "backups": _BACKUP,
    "scheduledbackups": _SCHEDULED,
    "objectstores": _STORE,
    "clusters": _CLUSTER,
}


@cache
def of(plural: str) -> Schema | None:
    """The schema of a custom resource, by its plural; None for other kinds."""
    text = _TEXTS.get(plural)
    return parse(text, _FRAGMENTS, _RULES) if text is not None else None
