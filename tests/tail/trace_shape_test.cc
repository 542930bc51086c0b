#include "tail/trace_shape.h"

#include "tail/multiline.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace weir::tail {
namespace {

using Records = std::vector<std::string>;

struct Collected final : Joiner::Sink {
  Records records;
  std::vector<std::unique_ptr<char[]>> memory;
  void put_record(const Joiner::Line& line) override { records.emplace_back(line.text); }
  char* allocate_text(std::size_t size) override { return memory.emplace_back(std::make_unique<char[]>(size)).get(); }
};

Records split(const std::string& text) {
  Records lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// What becomes of the lines of `records`, which are given one by one or all together.
Records joined(Shape shape, const Records& records, bool one_by_one) {
  const Multiline options{.shape = shape};
  Joiner joiner(options);
  Collected out;
  Records lines;
  for (const std::string& record : records) {
    for (std::string& line : split(record)) lines.push_back(std::move(line));
  }
  std::uint64_t offset = 0;
  for (const std::string& line : lines) {
    joiner.take({line, 0, Stream::standard_output, true, {1, offset}, {1, offset + line.size() + 1}}, out);
    if (one_by_one) joiner.settle(out);
    offset += line.size() + 1;
  }
  joiner.settle(out);
  joiner.close(out);
  return out.records;
}

void expect_joined(Shape shape, const Records& records) {
  EXPECT_EQ(joined(shape, records, false), records);
  EXPECT_EQ(joined(shape, records, true), records) << "one by one";
}

TEST(JavaTrace, GoesWithItsLogLineAndItsCauses) {
  expect_joined(
      Shape::java,
      {"2026-11-30 10:00:00,001 INFO  [main] shop.App - started in 2.1 s",
       "2026-11-30 10:00:01,120 INFO  [http-1] shop.Orders - GET /",
       "2026-11-30 10:00:02,001 ERROR [http-1] shop.Orders - order 17 was not stored\n"
       "org.springframework.dao.DataIntegrityViolationException: could not execute statement\n"
       "\tat org.springframework.orm.jpa.HibernateJpaDialect.convert(HibernateJpaDialect.java:276)\n"
       "\tat shop.OrderService$$EnhancerBySpringCGLIB$$1.save(<generated>)\n"
       "\tat java.base/java.lang.Thread.run(Thread.java:833) ~[na:17]\n"
       "\tSuppressed: java.lang.RuntimeException: close failed\n"
       "\t\tat shop.Pool.close(Pool.java:9)\n"
       "\t\t... 3 more\n"
       "Caused by: org.postgresql.util.PSQLException: ERROR: duplicate key value violates unique constraint \"orders_pkey\"\n"
       "  Detail: Key (id)=(17) already exists.\n"
       "\tat org.postgresql.core.v3.QueryExecutorImpl.receive(QueryExecutorImpl.java:2676)\n"
       "\t... 44 common frames omitted",
       "2026-11-30 10:00:03,001 INFO  [http-2] shop.Orders - GET /", "\tan indented line of nobody"});
}

TEST(JavaTrace, StandsAloneBehindLinesThatSpeakOfNoError) {
  expect_joined(Shape::java, {"INFO ready", "java.lang.IllegalStateException: printStackTrace\n\tat shop.Main.run(Main.java:3)",
                              "Exception in thread \"main\" java.lang.NullPointerException\n\tat shop.Main.main(Main.java:3)",
                              "kotlin.KotlinNullPointerException\n\tat shop.MainKt.main(Main.kt)", "INFO ready"});
}

TEST(JavaTrace, MessageOfSeveralLinesBelongsOnlyToATrace) {
  expect_joined(Shape::java, {"ERROR cannot bind:\n\n    property: server.port\n\tat shop.Main.main(Main.java:3)", "INFO ready",
                              "ERROR cannot bind:", "    property: server.port", "INFO ready"});
}

TEST(JavaTrace, RestOfOneIsARecord) {
  expect_joined(Shape::java,
                {"\tat shop.A.a(A.java:1)\n\tat shop.B.b(B.java:1)\nCaused by: shop.X: y\n\tat shop.A.a(A.java:1)", "INFO ready"});
}

TEST(JavaTrace, OrdinaryLinesStayAlone) {
  expect_joined(Shape::java, {"error: one", "error: two", "at noon", "java.lang is a package", "java.util.logging: ready", "a.b.c",
                              "", "", "... 12 more", "{\"message\":\"java.io.IOException: x\"}", "  - a list"});
}

TEST(PythonTrace, GoesWithItsLogLine) {
  expect_joined(Shape::python, {"INFO:root:started",
                                "ERROR:root:cannot pay\n"
                                "Traceback (most recent call last):\n"
                                "  File \"/app/shop.py\", line 12, in pay\n"
                                "    charge(card)\n"
                                "    ~~~~~~^^^^^^\n"
                                "  File \"/app/card.py\", line 3, in charge\n"
                                "    raise ValueError(\"no card\")\n"
                                "  [Previous line repeated 3 more times]\n"
                                "ValueError: no card",
                                "INFO:root:next", "ValueError: not behind a trace"});
}

TEST(PythonTrace, ChainsOfExceptions) {
  expect_joined(Shape::python, {"Traceback (most recent call last):\n"
                                "  File \"a.py\", line 2, in <module>\n"
                                "    {}[\"a\"]\n"
                                "KeyError: 'a'\n"
                                "\n"
                                "During handling of the above exception, another exception occurred:\n"
                                "\n"
                                "Traceback (most recent call last):\n"
                                "  File \"a.py\", line 4, in <module>\n"
                                "    raise shop.errors.Missing(1)\n"
                                "shop.errors.Missing: 1\n"
                                "\n"
                                "The above exception was the direct cause of the following exception:\n"
                                "\n"
                                "Traceback (most recent call last):\n"
                                "  File \"a.py\", line 9, in <module>\n"
                                "KeyboardInterrupt",
                                "", "INFO:root:a blank line before this belongs to nothing",
                                "Traceback (most recent call last):\n  File \"a.py\", line 9, in <module>\nTypeError: one",
                                "Traceback (most recent call last):\n  File \"a.py\", line 9, in <module>\nTypeError: two"});
}

TEST(PythonTrace, GroupsAndSyntaxErrorsAndDatabases) {
  expect_joined(
      Shape::python,
      {"  + Exception Group Traceback (most recent call last):\n"
       "  |   File \"a.py\", line 1, in <module>\n"
       "  | ExceptionGroup: two (2 sub-exceptions)\n"
       "  +-+---------------- 1 ----------------\n"
       "    | ValueError: 1\n"
       "    +---------------- 2 ----------------\n"
       "    | TypeError: 2\n"
       "    +------------------------------------",
       "done", "Traceback (most recent call last):\n  File \"a.py\", line 1\n    x ==\n        ^\nSyntaxError: invalid", "done",
       "Traceback (most recent call last):\n"
       "  File \"a.py\", line 1, in execute\n"
       "sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) duplicate key value\n"
       "DETAIL:  Key (id)=(1) already exists.\n"
       "\n"
       "[SQL: INSERT INTO orders (id) VALUES (%(id)s)]\n"
       "[parameters: {'id': 1}]\n"
       "(Background on this error at: https://sqlalche.me/e/20/gkpj)",
       "done"});
}

TEST(PythonTrace, EndsWhereItBreaksOff) {
  expect_joined(Shape::python, {"Traceback (most recent call last):\n  File \"a.py\", line 9, in <module>",
                                "2026-11-30 another process", "  File \"a.py\", line 9, in f\n    x()\nValueError: the rest of one",
                                "done", "    an indented line of nobody", "The above"});
}

TEST(GoTrace, PanicsWithTheirGoroutines) {
  expect_joined(Shape::go, {"2026/11/30 10:00:00 listening on :8080",
                            "panic: runtime error: invalid memory address or nil pointer dereference [recovered]\n"
                            "\tpanic: again\n"
                            "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48f0a5]\n"
                            "\n"
                            "goroutine 1 [running]:\n"
                            "main.(*Shop).Pay(0x0, {0xc000012345, 0x3})\n"
                            "\t/src/shop/main.go:12 +0x25\n"
                            "panic({0x45d3a0?, 0x4c1a50?})\n"
                            "\t/usr/local/go/src/runtime/panic.go:770 +0x132\n"
                            "main.main()\n"
                            "\t/src/shop/main.go:5 +0x1d\n"
                            "\n"
                            "goroutine 18 [chan receive, 2 minutes]:\n"
                            "...additional frames elided...\n"
                            "created by main.main in goroutine 1\n"
                            "\t/src/shop/main.go:4 +0x1d",
                            "", "2026/11/30 10:00:01 listening on :8080"});
}

TEST(GoTrace, FatalErrorsAndSignals) {
  expect_joined(Shape::go, {"fatal error: all goroutines are asleep - deadlock!\n"
                            "\n"
                            "goroutine 1 [chan send]:\n"
                            "main.main()\n"
                            "\t/src/main.go:5 +0x1d",
                            "exit status 2",
                            "fatal error: concurrent map writes\n"
                            "\n"
                            "runtime stack:\n"
                            "runtime.throw({0x48a1c4?, 0x0?})\n"
                            "\t/usr/local/go/src/runtime/panic.go:1023 +0x5c",
                            "done",
                            "SIGQUIT: quit\n"
                            "PC=0x46b9a1 m=0 sigcode=0\n"
                            "\n"
                            "goroutine 0 gp=0x553fc0 m=0 mp=0x5549a0 [idle]:\n"
                            "runtime.futex(0x555ae0, 0x80, 0x0, 0x0, 0x0, 0x0)\n"
                            "\t/usr/local/go/src/runtime/sys_linux_amd64.s:557 +0x21\n"
                            "\n"
                            "rax    0xca\n"
                            "rip    0x46b9a1\n"
                            "rflags 0x286",
                            "done"});
}

TEST(GoTrace, OfAServerGoesWithItsLogLine) {
  expect_joined(Shape::go, {"2026/11/30 10:00:00 http: panic serving 10.0.0.1:4242: boom\n"
                            "goroutine 20 [running]:\n"
                            "net/http.(*conn).serve.func1()\n"
                            "\t/usr/local/go/src/net/http/server.go:1898 +0xbe",
                            "handled(in 3 ms)", "main.call()", "goroutine leaks are bad", "INFO dump follows",
                            "goroutine 20 [running]:\nmain.main()\n\t/src/main.go:1 +0x1", "main.call()"});
}

TEST(RubyTrace, OfEachKind) {
  expect_joined(Shape::ruby, {"I, [2026-11-30T10:00:00.1 #7]  INFO -- : started",
                              "app.rb:3:in `pay': no card (ArgumentError)\n"
                              "\tfrom app.rb:7:in `block in <main>'\n"
                              "\t ... 9998 levels...\n"
                              "\tfrom app.rb:9:in `<main>'\n"
                              "app.rb:1:in `card': missing (KeyError)\n"
                              "\tfrom app.rb:3:in `pay'",
                              "E, [2026-11-30T10:00:01.1 #7] ERROR -- : boom (RuntimeError)\n"
                              "app/models/card.rb:3:in 'Card#charge'\n"
                              "/usr/lib/ruby/3.4.0/logger.rb:10:in 'Logger#add'",
                              "I, [2026-11-30T10:00:02.1 #7]  INFO -- : next",
                              "t.rb:1:in `<main>': undefined local variable or method `fo' for main (NameError)\n"
                              "\n"
                              "    fo.bar\n"
                              "    ^^\n"
                              "\tfrom t.rb:9:in `<main>'",
                              "Traceback (most recent call last):\n"
                              "\t1: from t.rb:5:in `<main>'\n"
                              "t.rb:1:in `a': boom (RuntimeError)",
                              "done: 3 in `all'", "t.rb:x:in `a'"});
}

TEST(RubyTrace, OfRails) {
  expect_joined(Shape::ruby, {"F, [2026-11-30T10:00:00.1 #7] FATAL -- : [5f] ActionController::RoutingError (No route matches):\n"
                              "  \n"
                              "[5f] actionpack (7.1.3) lib/action_dispatch/middleware/debug_exceptions.rb:37:in `call'\n"
                              "[5f] app/middleware/tag.rb:9:in `call'",
                              "I, [2026-11-30T10:00:02.1 #7]  INFO -- : next"});
}

TEST(DotnetTrace, GoesWithItsLogLine) {
  expect_joined(Shape::dotnet, {"[10:00:00 INF] started",
                                "[10:00:01 ERR] order 17 failed\n"
                                "System.InvalidOperationException: cannot pay\n"
                                " ---> System.Net.Http.HttpRequestException: Connection refused (bank:443)\n"
                                " ---> System.Net.Sockets.SocketException (111): Connection refused\n"
                                "   at System.Net.Sockets.Socket.Connect(EndPoint remote)\n"
                                "   --- End of inner exception stack trace ---\n"
                                "   at System.Net.Http.HttpConnectionPool.ConnectAsync() in /_/src/Pool.cs:line 12\n"
                                "   --- End of inner exception stack trace ---\n"
                                "   at Shop.Orders.Pay(Int32 id) in /src/Orders.cs:line 42\n"
                                "--- End of stack trace from previous location ---\n"
                                "   at Shop.Program.Main(String[] args)",
                                "[10:00:02 INF] next",
                                "Unhandled exception. System.AggregateException: One or more errors occurred. (a)\n"
                                "   at Shop.Program.Main(String[] args)",
                                "Shop.Errors.ShopException`1[System.Int32]", "next"});
}

TEST(DotnetTrace, EntriesOfTheConsoleLogger) {
  expect_joined(Shape::dotnet, {"info: Microsoft.Hosting.Lifetime[14]\n      Now listening on: http://[::]:8080",
                                "fail: Shop.Orders[0]\n"
                                "      order 17 failed\n"
                                "      System.InvalidOperationException: cannot pay\n"
                                "         at Shop.Orders.Pay(Int32 id) in /src/Orders.cs:line 42",
                                "info: Shop[0]\n      next", "info: not of the logger", "      indented"});
}

TEST(MayHead, AsksForWordsOfTrouble) {
  for (const char* const line : {"ERROR x", "level=error", "[WRN] x", "WARNING x", "FATAL", "SEVERE: x", "java.io.IOException: x",
                                 "http: panic serving", "[10:00 ERR] x", "it failed"})
    EXPECT_TRUE(may_head(line)) << line;
  for (const char* const line : {"", "INFO ok", "GET /terms 200", "e", "er"}) EXPECT_FALSE(may_head(line)) << line;
}

}  // namespace
}  // namespace weir::tail
