# What tests cost, so that ctest uses two cores well: weir_cost(TEST) after add_test(). tests/run.sh runs four shares a core at once.
#
#   TEST  SECONDS  SHARES
#
# SECONDS that it takes with other tests beside it. ctest starts the longest first, so that the end of a run is not one long test. Tests
# of less than 40 seconds are left out. SHARES: how many quarters of a core it keeps busy, which is its CPU time (user and system, with that
# of its children) by its time; 1 where nothing is said, because most chains wait for each other and for their clocks: a suite of chains
# takes a tenth of a core, and one with a Loki a fifth.
#
# A test with 900 seconds or more is shorter than that. It has to begin early: because it needs several shares, which are free at once only
# in the beginning, or because it is one of those that run one after the other (RESOURCE_LOCK kube).
set(WEIR_COSTS
  debian.package      990 2
  unit.spool          980 3
  unit.stages         970 2
  loki.round_trip     960 5
  unit.loki           950 2
  unit.scan           940 2
  meta.house          930 5
  unit.logql          905 4
  unit.show           904 4
  image               903 3
  kube.chart          902 2
  kube.config_map     901 2
  kube.kubelet        900 1
  kube.pods           899 1
  kube.enrich         898 1
  kube.readme         897 1
  kube.kit            896 1
  loki.convert        895 1
  e2e.names           150 1
  e2e.links           150 1
  e2e.ends            240 1
  e2e.disk            130 1
  loki.smoke          170 1
  loki.crash          190 1
  e2e.moved           180 1
  e2e.rotation        899 4
  page.page           175 2
  e2e.push            160 1
  e2e.reload          150 1
  loki.metric         130 2
  loki.follow         130 1
  e2e.losses          120 1
  loki.pipelines      120 1
  security.pod        120 1
  loki.refusal        100 1
  loki.chain           90 1
  loki.release         90 1
  page.accessibility   71 2
  e2e.smoke            70 1
  e2e.journal          85 1
  loki.readme          80 1
  e2e.readme           75 1
  e2e.spill            75 1
  security.syscalls    75 1
  e2e.spool            74 1
  e2e.pipelines        73 1
  loki.logql           60 1
  loki.alert_state     60 1
  e2e.takeaway         57 1
  e2e.two_chains       52 1
  e2e.progress         51 1
  e2e.resume           49 1
  loki.promtail        47 1
  e2e.pods             46 1
  e2e.limits           45 1
  loki.crash_rules     45 1
  e2e.hold             44 1
  unit.kube            42 1
  e2e.metrics          42 1
  e2e.status           41 1
  loki.incident        39 1
  alerts.prometheus    38 1
  unit.tail            38 1
)

# Tests that the everyday loop leaves out (the test preset everyday, which takes less than five minutes on two cores; continuous
# integration runs all): chains that wait over a minute, packages, images, browsers, and what needs another server.
set(WEIR_SLOW
  e2e.disk e2e.ends e2e.journal e2e.links e2e.losses e2e.moved e2e.names e2e.pipelines e2e.push e2e.readme e2e.reload e2e.rotation e2e.serve
  e2e.smoke e2e.spill e2e.spool security.hostile security.pod security.syscalls page.accessibility page.page page.serve
  debian.package image alerts.prometheus alerts.rules upgrade)

# With its costs, and the label slow where it is one of these.
function(weir_cost test)
  if(test IN_LIST WEIR_SLOW)
    set_property(TEST ${test} APPEND PROPERTY LABELS slow)
  endif()
  list(FIND WEIR_COSTS ${test} at)
  if(at EQUAL -1)
    return()
  endif()
  math(EXPR seconds "${at} + 1")
  math(EXPR shares "${at} + 2")
  list(GET WEIR_COSTS ${seconds} ${shares} costs)
  list(GET costs 0 seconds)
  list(GET costs 1 shares)
  set_tests_properties(${test} PROPERTIES COST ${seconds} PROCESSORS ${shares})
endfunction()
