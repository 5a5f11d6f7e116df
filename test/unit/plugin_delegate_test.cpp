// SPDX-License-Identifier: Apache-2.0
// Delegation to small shell scripts that stand for plugins, each written for its case.
#include "plugin/delegate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "cni/error.h"

namespace onlink::plugin {
namespace {

namespace fs = std::filesystem;

class Delegate : public testing::Test {
 protected:
  cni::Result add(const std::string& type) {
    return delegate_add(request_, type, [&] { delegate(request_, type, cni::Command::del); });
  }

  Delegate() {
    std::string pattern = fs::temp_directory_path() / "onlink-delegate-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    request_.path = "/nonexistent::" + folder_.string();
    request_.input = R"({"cniVersion": "1.0.0",   "name": "n"})";
    request_.version = {1, 0, 0};
    ::setenv("CNI_COMMAND", "ADD", 1);
    ::setenv("CNI_CONTAINERID", "pod-1", 1);
    ::setenv("FOLDER", folder_.c_str(), 1);
  }
  ~Delegate() override { fs::remove_all(folder_); }

  void write_plugin(const std::string& name, const std::string& script) {
    replace_file(AT_FDCWD, folder_ / name, "#!/bin/sh\n" + script, 0755, false);
  }
  std::string content(const std::string& name) {
    return read_file(AT_FDCWD, folder_ / name).value_or("(absent)");
  }

  // The failure of running the plugin "it", which must fail.
  std::string add_failure(const std::string& script) {
    write_plugin("it", script);
    try {
      (void)add("it");
    } catch (const Failure& failure) {
      return failure.what();
    }
    ADD_FAILURE() << "no failure";
    return "";
  }

  fs::path folder_;
  cni::Request request_;
};

TEST_F(Delegate, GetsTheSameInputAndEnvironmentAndIsUnderstood) {
  write_plugin("it", R"(cat > $FOLDER/input; env > $FOLDER/env
      echo '{"ips": [{"address": "10.0.0.5/24", "gateway": "10.0.0.1"}]}')");
  const cni::Result result = add("it");
  ASSERT_EQ(result.ips.size(), 1u);
  EXPECT_EQ(result.ips[0].address.to_string(), "10.0.0.5/24");
  EXPECT_EQ(content("input"), request_.input);
  EXPECT_NE(content("env").find("CNI_COMMAND=ADD\n"), std::string::npos);
  EXPECT_NE(content("env").find("CNI_CONTAINERID=pod-1\n"), std::string::npos);
}

TEST_F(Delegate, MayAnswerInAnyVersion) {
  write_plugin("it", R"(echo '{"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.5/24"}}')");
  EXPECT_EQ(add("it").ips.size(), 1u);
}

TEST_F(Delegate, OtherCommandsRunUnderTheirNameAndMayPrintAnything) {
  write_plugin("it", R"(echo "$CNI_COMMAND" >> $FOLDER/commands; echo noise)");
  for (const auto command : {cni::Command::del, cni::Command::check, cni::Command::status, cni::Command::gc})
    delegate(request_, "it", command);
  EXPECT_EQ(content("commands"), "DEL\nCHECK\nSTATUS\nGC\n");
}

TEST_F(Delegate, AfterAFailedAddItsDelIsRun) {
  const std::string text =
      add_failure(R"(echo "$CNI_COMMAND" >> $FOLDER/commands; [ $CNI_COMMAND = DEL ] && exit 0
      echo '{"code": 11, "msg": "pool is busy", "details": "lock held"}'; exit 1)");
  EXPECT_EQ(content("commands"), "ADD\nDEL\n");
  EXPECT_EQ(text, "IPAM plugin it: pool is busy\nlock held");
}

TEST_F(Delegate, AFailedDelAfterAFailedAddIsTold) {
  EXPECT_EQ(add_failure(R"(echo "{\"code\": 100, \"msg\": \"no $CNI_COMMAND\"}"; exit 1)"),
            "IPAM plugin it: no ADD\nits DEL failed as well: no DEL");
}

TEST_F(Delegate, KeepsTheCodeOfItsError) {
  write_plugin("it", R"(echo '{"code": 123, "msg": "odd"}'; exit 1)");
  try {
    delegate(request_, "it", cni::Command::check);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(cni::error_code(failure), 123u);
  }
}

TEST_F(Delegate, EndsInOtherWaysThanTheProtocols) {
  EXPECT_EQ(add_failure("exit 3").substr(0, 57),
            "IPAM plugin it: exited with status 3 and printed nothing\n");
  EXPECT_NE(add_failure("echo 'panic: x'; exit 2").find("exited with status 2 and printed \"panic: x\\n\""),
            std::string::npos);
  EXPECT_NE(add_failure("kill -9 $$").find("was ended by signal 9"), std::string::npos);
  EXPECT_NE(add_failure("yes | head -c 5000; exit 1").find("\"..."), std::string::npos);
}

TEST_F(Delegate, ResultsThatAreNoneAreItsOwnMistake) {
  EXPECT_NE(add_failure("echo hello").find("what it printed is not JSON"), std::string::npos);
  EXPECT_NE(add_failure("exit 0").find("what it printed is not JSON"), std::string::npos);
  EXPECT_NE(add_failure(R"(echo '{"ips": [{"address": 5}]}')").find("its result: ips[0].address"),
            std::string::npos);
}

TEST_F(Delegate, OutputIsBounded) {
  EXPECT_NE(add_failure("[ $CNI_COMMAND = DEL ] || yes").find("larger than"), std::string::npos);
}

TEST_F(Delegate, IsNotWaitedForThroughAChildThatHoldsItsOutput) {
  write_plugin("it", "tail -f /dev/null & echo $! >$FOLDER/child; echo '{}'");
  EXPECT_EQ(add("it"), cni::Result());
  EXPECT_EQ(::kill(std::stoi(content("child")), SIGKILL), 0) << "it is still there";
}

TEST_F(Delegate, NeedNotReadItsInput) {
  request_.input.assign(300'000, ' ');  // more than a pipe holds
  write_plugin("it", "exec 0<&-; echo '{}'");
  EXPECT_EQ(add("it"), cni::Result());
}

TEST_F(Delegate, GetsNoDescriptorOfOurs) {
  const UniqueFd lock = open_file(AT_FDCWD, folder_ / "lock", O_RDWR | O_CREAT, 0600);
  write_plugin("it", "ls -l /proc/$$/fd > $FOLDER/fds; echo '{}'");
  (void)add("it");
  EXPECT_NE(content("fds").find("memfd:input"), std::string::npos);
  EXPECT_EQ(content("fds").find("/lock"), std::string::npos) << content("fds");
}

TEST_F(Delegate, ItsStatusIsKnownWhenChildrenAreIgnored) {
  ::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(add_failure("exit 3").substr(0, 36), "IPAM plugin it: exited with status 3");
  ::signal(SIGCHLD, SIG_DFL);
}

TEST_F(Delegate, TypeIsANameInAFolderOfThePath) {
  write_plugin("it", "echo '{}'");
  fs::create_directory(folder_ / "folder");
  for (const std::string& type :
       {std::string(""), std::string("."), std::string(".."), std::string("folder"), std::string("absent"),
        "../" + folder_.filename().string() + "/it", (folder_ / "it").string(), std::string("it\0x", 4)}) {
    try {
      delegate(request_, type, cni::Command::del);
      ADD_FAILURE() << type;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.kind(), FailureKind::configuration) << failure.what();
    }
  }
}

TEST_F(Delegate, TheFirstFolderWins) {
  write_plugin("it", "echo '{}'");
  fs::create_directory(folder_ / "first");
  write_plugin("first/it", R"(echo '{"dns": {"domain": "first"}}')");
  request_.path = (folder_ / "first").string() + ":" + folder_.string() + ":";
  EXPECT_EQ(add("it").dns.domain, "first");
}

TEST_F(Delegate, WhatCannotBeRunIsNamed) {
  replace_file(AT_FDCWD, folder_ / "it", "#!/bin/sh\n", 0644, false);
  try {
    delegate(request_, "it", cni::Command::del);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error(), EACCES) << failure.what();
  }
}

TEST_F(Delegate, OneThatIsBeingWrittenIsForLater) {
  // A copy of a real program: for a script the interpreter is what would be busy.
  fs::copy_file("/bin/true", folder_ / "it");
  const UniqueFd writer = open_file(AT_FDCWD, folder_ / "it", O_WRONLY);
  try {
    delegate(request_, "it", cni::Command::del);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::try_again) << failure.what();
  }
}

}  // namespace
}  // namespace onlink::plugin
