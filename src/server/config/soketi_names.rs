//! The names of soketi: its 115 variables, the keys of its file, its defaults, and what each is
//! here. A table, and nothing else.
//!
//! Invariant: none is missing. Most of those that are no settings here belong to a broker or a
//! database, and are refused unless they say what soketi says without them.

use super::foreign::{Name, Rule, other, setting};
use super::knob::Accepts;
use super::soketi_rules::{
    APPS_ARE_KEPT, NO_CLIENT_CA, NO_DATABASE, NO_OTHER_METRICS, NO_PASSPHRASE, NO_QUEUE, NO_REDIS,
    NO_WORKER, ONE_SERVER, TTL, cluster, database, nats, queue, redis,
};

/// All of them, in soketi's order.
pub(super) static SOKETI: &[Name] = &[
    other(
        "SOKETI_ADAPTER_DRIVER",
        "adapter.driver",
        "local",
        Rule::Word(&["local"], ONE_SERVER),
    ),
    cluster(
        "SOKETI_ADAPTER_CLUSTER_REQUESTS_TIMEOUT",
        "adapter.cluster.requestsTimeout",
        "5000",
    ),
    redis("SOKETI_ADAPTER_REDIS_PREFIX", "adapter.redis.prefix", ""),
    redis(
        "SOKETI_ADAPTER_REDIS_CLUSTER_MODE",
        "adapter.redis.clusterMode",
        "false",
    ),
    redis(
        "SOKETI_ADAPTER_REDIS_REQUESTS_TIMEOUT",
        "adapter.redis.requestsTimeout",
        "5000",
    ),
    redis(
        "SOKETI_ADAPTER_REDIS_SUB_OPTIONS",
        "adapter.redis.redisSubOptions",
        "{}",
    ),
    redis(
        "SOKETI_ADAPTER_REDIS_PUB_OPTIONS",
        "adapter.redis.redisPubOptions",
        "{}",
    ),
    nats("SOKETI_ADAPTER_NATS_PREFIX", "adapter.nats.prefix", ""),
    nats(
        "SOKETI_ADAPTER_NATS_SERVERS",
        "adapter.nats.servers",
        "[\"127.0.0.1:4222\"]",
    ),
    nats("SOKETI_ADAPTER_NATS_USER", "adapter.nats.user", "null"),
    nats("SOKETI_ADAPTER_NATS_PASSWORD", "adapter.nats.pass", "null"),
    nats("SOKETI_ADAPTER_NATS_TOKEN", "adapter.nats.token", "null"),
    nats(
        "SOKETI_ADAPTER_NATS_TIMEOUT",
        "adapter.nats.timeout",
        "10000",
    ),
    nats(
        "SOKETI_ADAPTER_NATS_REQUESTS_TIMEOUT",
        "adapter.nats.requestsTimeout",
        "5000",
    ),
    nats(
        "SOKETI_ADAPTER_NATS_NODES_NUMBER",
        "adapter.nats.nodesNumber",
        "null",
    ),
    other(
        "SOKETI_APP_MANAGER_DRIVER",
        "appManager.driver",
        "array",
        Rule::Word(&["array"], NO_DATABASE),
    ),
    other(
        "SOKETI_APP_MANAGER_CACHE_ENABLED",
        "appManager.cache.enabled",
        "false",
        Rule::Holds(Accepts::Truth, APPS_ARE_KEPT),
    ),
    other(
        "SOKETI_APP_MANAGER_CACHE_TTL",
        "appManager.cache.ttl",
        "-1",
        Rule::Holds(TTL, APPS_ARE_KEPT),
    ),
    database(
        "SOKETI_APP_MANAGER_DYNAMODB_TABLE",
        "appManager.dynamodb.table",
        "apps",
    ),
    database(
        "SOKETI_APP_MANAGER_DYNAMODB_REGION",
        "appManager.dynamodb.region",
        "us-east-1",
    ),
    database(
        "SOKETI_APP_MANAGER_DYNAMODB_ENDPOINT",
        "appManager.dynamodb.endpoint",
        "null",
    ),
    database(
        "SOKETI_APP_MANAGER_MYSQL_TABLE",
        "appManager.mysql.table",
        "apps",
    ),
    database(
        "SOKETI_APP_MANAGER_MYSQL_VERSION",
        "appManager.mysql.version",
        "8.0",
    ),
    database(
        "SOKETI_APP_MANAGER_POSTGRES_TABLE",
        "appManager.postgres.table",
        "apps",
    ),
    database(
        "SOKETI_APP_MANAGER_POSTGRES_VERSION",
        "appManager.postgres.version",
        "13.3",
    ),
    database(
        "SOKETI_APP_MANAGER_MYSQL_USE_V2",
        "appManager.mysql.useMysql2",
        "false",
    ),
    setting(
        "SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH",
        "channelLimits.maxNameLength",
        "200",
    ),
    setting("SOKETI_CHANNEL_CACHE_TTL", "channelLimits.cacheTtl", "3600"),
    other(
        "SOKETI_CACHE_DRIVER",
        "cache.driver",
        "memory",
        Rule::Word(&["memory"], NO_REDIS),
    ),
    redis(
        "SOKETI_CACHE_REDIS_CLUSTER_MODE",
        "cache.redis.clusterMode",
        "false",
    ),
    redis(
        "SOKETI_CACHE_REDIS_OPTIONS",
        "cache.redis.redisOptions",
        "{}",
    ),
    cluster(
        "SOKETI_CLUSTER_CHECK_INTERVAL",
        "cluster.checkInterval",
        "500",
    ),
    cluster("SOKETI_CLUSTER_HOST", "cluster.hostname", "0.0.0.0"),
    cluster(
        "SOKETI_CLUSTER_IGNORE_PROCESS",
        "cluster.ignoreProcess",
        "true",
    ),
    cluster(
        "SOKETI_CLUSTER_BROADCAST_ADDRESS",
        "cluster.broadcast",
        "255.255.255.255",
    ),
    cluster(
        "SOKETI_CLUSTER_KEEPALIVE_INTERVAL",
        "cluster.helloInterval",
        "500",
    ),
    cluster(
        "SOKETI_CLUSTER_MASTER_TIMEOUT",
        "cluster.masterTimeout",
        "2000",
    ),
    cluster(
        "SOKETI_CLUSTER_MULTICAST_ADDRESS",
        "cluster.multicast",
        "null",
    ),
    cluster("SOKETI_CLUSTER_NODE_TIMEOUT", "cluster.nodeTimeout", "2000"),
    cluster("SOKETI_CLUSTER_PORT", "cluster.port", "11002"),
    cluster("SOKETI_CLUSTER_PREFIX", "cluster.prefix", ""),
    cluster(
        "SOKETI_CLUSTER_UNICAST_ADDRESSES",
        "cluster.unicast",
        "null",
    ),
    setting("SOKETI_DEBUG", "debug", "false"),
    setting(
        "SOKETI_DEFAULT_APP_ID",
        "appManager.array.apps.0.id",
        "app-id",
    ),
    setting(
        "SOKETI_DEFAULT_APP_KEY",
        "appManager.array.apps.0.key",
        "app-key",
    ),
    setting(
        "SOKETI_DEFAULT_APP_SECRET",
        "appManager.array.apps.0.secret",
        "app-secret",
    ),
    setting(
        "SOKETI_DEFAULT_APP_MAX_CONNS",
        "appManager.array.apps.0.maxConnections",
        "-1",
    ),
    setting(
        "SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES",
        "appManager.array.apps.0.enableClientMessages",
        "false",
    ),
    setting(
        "SOKETI_DEFAULT_APP_ENABLED",
        "appManager.array.apps.0.enabled",
        "true",
    ),
    setting(
        "SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC",
        "appManager.array.apps.0.maxBackendEventsPerSecond",
        "-1",
    ),
    setting(
        "SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC",
        "appManager.array.apps.0.maxClientEventsPerSecond",
        "-1",
    ),
    setting(
        "SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC",
        "appManager.array.apps.0.maxReadRequestsPerSecond",
        "-1",
    ),
    setting(
        "SOKETI_DEFAULT_APP_USER_AUTHENTICATION",
        "appManager.array.apps.0.enableUserAuthentication",
        "{}",
    ),
    setting(
        "SOKETI_DEFAULT_APP_WEBHOOKS",
        "appManager.array.apps.0.webhooks",
        "[]",
    ),
    database(
        "SOKETI_DB_POOLING_ENABLED",
        "databasePooling.enabled",
        "false",
    ),
    database("SOKETI_DB_POOLING_MIN", "databasePooling.min", "0"),
    database("SOKETI_DB_POOLING_MAX", "databasePooling.max", "7"),
    database("SOKETI_DB_MYSQL_HOST", "database.mysql.host", "127.0.0.1"),
    database("SOKETI_DB_MYSQL_PORT", "database.mysql.port", "3306"),
    database("SOKETI_DB_MYSQL_USERNAME", "database.mysql.user", "root"),
    database(
        "SOKETI_DB_MYSQL_PASSWORD",
        "database.mysql.password",
        "password",
    ),
    database(
        "SOKETI_DB_MYSQL_DATABASE",
        "database.mysql.database",
        "main",
    ),
    database(
        "SOKETI_DB_POSTGRES_HOST",
        "database.postgres.host",
        "127.0.0.1",
    ),
    database("SOKETI_DB_POSTGRES_PORT", "database.postgres.port", "5432"),
    database(
        "SOKETI_DB_POSTGRES_USERNAME",
        "database.postgres.user",
        "postgres",
    ),
    database(
        "SOKETI_DB_POSTGRES_PASSWORD",
        "database.postgres.password",
        "password",
    ),
    database(
        "SOKETI_DB_POSTGRES_DATABASE",
        "database.postgres.database",
        "main",
    ),
    redis("SOKETI_DB_REDIS_HOST", "database.redis.host", "127.0.0.1"),
    redis("SOKETI_DB_REDIS_PORT", "database.redis.port", "6379"),
    redis("SOKETI_DB_REDIS_DB", "database.redis.db", "0"),
    redis(
        "SOKETI_DB_REDIS_USERNAME",
        "database.redis.username",
        "null",
    ),
    redis(
        "SOKETI_DB_REDIS_PASSWORD",
        "database.redis.password",
        "null",
    ),
    redis("SOKETI_DB_REDIS_KEY_PREFIX", "database.redis.keyPrefix", ""),
    redis(
        "SOKETI_DB_REDIS_SENTINELS",
        "database.redis.sentinels",
        "null",
    ),
    redis(
        "SOKETI_DB_REDIS_SENTINEL_PASSWORD",
        "database.redis.sentinelPassword",
        "null",
    ),
    redis(
        "SOKETI_DB_REDIS_CLUSTER_NODES",
        "database.redis.clusterNodes",
        "[]",
    ),
    redis(
        "SOKETI_DB_REDIS_INSTANCE_NAME",
        "database.redis.name",
        "mymaster",
    ),
    setting(
        "SOKETI_EVENT_MAX_BATCH_SIZE",
        "eventLimits.maxBatchSize",
        "10",
    ),
    setting(
        "SOKETI_EVENT_MAX_CHANNELS_AT_ONCE",
        "eventLimits.maxChannelsAtOnce",
        "100",
    ),
    setting(
        "SOKETI_EVENT_MAX_NAME_LENGTH",
        "eventLimits.maxNameLength",
        "200",
    ),
    setting(
        "SOKETI_EVENT_MAX_SIZE_IN_KB",
        "eventLimits.maxPayloadInKb",
        "100",
    ),
    setting("SOKETI_HOST", "host", "0.0.0.0"),
    setting(
        "SOKETI_HTTP_ACCEPT_TRAFFIC_MEMORY_THRESHOLD",
        "httpApi.acceptTraffic.memoryThreshold",
        "85",
    ),
    setting("SOKETI_METRICS_ENABLED", "metrics.enabled", "false"),
    other(
        "SOKETI_METRICS_DRIVER",
        "metrics.driver",
        "prometheus",
        Rule::Word(&["prometheus"], NO_OTHER_METRICS),
    ),
    setting("SOKETI_METRICS_HOST", "metrics.host", "0.0.0.0"),
    setting(
        "SOKETI_METRICS_PROMETHEUS_PREFIX",
        "metrics.prometheus.prefix",
        "soketi_",
    ),
    setting("SOKETI_METRICS_SERVER_PORT", "metrics.port", "9601"),
    other(
        "SOKETI_MODE",
        "mode",
        "full",
        Rule::Word(&["full"], NO_WORKER),
    ),
    setting("SOKETI_PORT", "port", "6001"),
    setting("SOKETI_PATH_PREFIX", "pathPrefix", ""),
    setting(
        "SOKETI_PRESENCE_MAX_MEMBER_SIZE",
        "presence.maxMemberSizeInKb",
        "2",
    ),
    setting(
        "SOKETI_PRESENCE_MAX_MEMBERS",
        "presence.maxMembersPerChannel",
        "100",
    ),
    other(
        "SOKETI_QUEUE_DRIVER",
        "queue.driver",
        "sync",
        Rule::Word(&["sync"], NO_QUEUE),
    ),
    redis(
        "SOKETI_QUEUE_REDIS_CONCURRENCY",
        "queue.redis.concurrency",
        "1",
    ),
    redis(
        "SOKETI_QUEUE_REDIS_OPTIONS",
        "queue.redis.redisOptions",
        "{}",
    ),
    redis(
        "SOKETI_QUEUE_REDIS_CLUSTER_MODE",
        "queue.redis.clusterMode",
        "false",
    ),
    queue("SOKETI_QUEUE_SQS_REGION", "queue.sqs.region", "us-east-1"),
    queue(
        "SOKETI_QUEUE_SQS_CLIENT_OPTIONS",
        "queue.sqs.clientOptions",
        "{}",
    ),
    queue("SOKETI_QUEUE_SQS_URL", "queue.sqs.queueUrl", ""),
    queue("SOKETI_QUEUE_SQS_ENDPOINT", "queue.sqs.endpoint", "null"),
    queue(
        "SOKETI_QUEUE_SQS_PROCESS_BATCH",
        "queue.sqs.processBatch",
        "false",
    ),
    queue("SOKETI_QUEUE_SQS_BATCH_SIZE", "queue.sqs.batchSize", "1"),
    queue(
        "SOKETI_QUEUE_SQS_POLLING_WAIT_TIME_MS",
        "queue.sqs.pollingWaitTimeMs",
        "0",
    ),
    other(
        "SOKETI_RATE_LIMITER_DRIVER",
        "rateLimiter.driver",
        "local",
        Rule::Word(&["local"], NO_REDIS),
    ),
    redis(
        "SOKETI_RATE_LIMITER_REDIS_OPTIONS",
        "rateLimiter.redis.redisOptions",
        "{}",
    ),
    redis(
        "SOKETI_RATE_LIMITER_REDIS_CLUSTER_MODE",
        "rateLimiter.redis.clusterMode",
        "false",
    ),
    setting(
        "SOKETI_SHUTDOWN_GRACE_PERIOD",
        "shutdownGracePeriod",
        "3000",
    ),
    setting("SOKETI_SSL_CERT", "ssl.certPath", ""),
    setting("SOKETI_SSL_KEY", "ssl.keyPath", ""),
    other(
        "SOKETI_SSL_PASS",
        "ssl.passphrase",
        "",
        Rule::Default(NO_PASSPHRASE),
    ),
    other(
        "SOKETI_SSL_CA",
        "ssl.caPath",
        "",
        Rule::Default(NO_CLIENT_CA),
    ),
    setting(
        "SOKETI_USER_AUTHENTICATION_TIMEOUT",
        "userAuthenticationTimeout",
        "30000",
    ),
    setting(
        "SOKETI_WEBHOOKS_BATCHING",
        "webhooks.batching.enabled",
        "false",
    ),
    setting(
        "SOKETI_WEBHOOKS_BATCHING_DURATION",
        "webhooks.batching.duration",
        "50",
    ),
];
