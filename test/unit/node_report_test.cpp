// SPDX-License-Identifier: Apache-2.0
// What is a secret, and what is not; the archive is in test/node/report.sh.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "node/report/archive.h"
#include "node/report/secrets.h"

namespace onlink::node {
namespace {

using nlohmann::json;

std::string cleaned(const std::string& text) { return Secrets().clean_text(text); }

class SecretLine : public testing::TestWithParam<const char*> {};
TEST_P(SecretLine, IsNotHandedOn) {
  const std::string text = cleaned(GetParam());
  EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  EXPECT_NE(text.find("<removed>"), std::string::npos) << text;
}
INSTANTIATE_TEST_SUITE_P(
    Forms, SecretLine,
    testing::Values(R"(password: hunter2)", R"(password: correct horse hunter2)", R"(PASSWORD=hunter2 next)",
                    R"(  password "hunter2";)", R"("password": "hunter2",)", R"("password":"a\"hunter2")",
                    R"({\"password\":\"hunter2\"})", R"(bgp.password = 'hunter2')", R"(--token hunter2)",
                    R"(--token=hunter2)", R"(token => hunter2)", R"(API_KEY: hunter2)",
                    R"(client-key-data: hunter2)", R"(clientSecret: hunter2)",
                    R"(Authorization: Bearer hunter2)", R"(sent Bearer hunter2hunter2 to it)",
                    R"(header "Basic aHVudGVyhunter2==")", R"(https://admin:hunter2@10.0.0.1:6443/api)",
                    R"(https://hunter2@10.0.0.1)", R"(https://admin:hun@ter:hunter2@10.0.0.1/)",
                    R"(GET /x?token=hunter2&watch=1)",
                    R"(got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4hunter2.c2lnbmF0dXJl here)",
                    R"(passwordFile: hunter2)", R"("psk": "hunter2)",
                    "-----BEGIN RSA PRIVATE KEY-----\nhunter2\nhunter2\n-----END RSA PRIVATE KEY-----",
                    "\"x\": \"-----BEGIN PRIVATE KEY-----\\nhunter2\\n-----END PRIVATE KEY-----\\n\"",
                    "-----BEGIN EC PRIVATE KEY-----\nhunter2\ncut off"));

class HarmlessLine : public testing::TestWithParam<const char*> {};
TEST_P(HarmlessLine, StaysAsItIs) { EXPECT_EQ(cleaned(GetParam()), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Forms, HarmlessLine,
                         testing::Values("10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169",
                                         "\"passwordFile\": \"/etc/onlink/bgp-password\"",
                                         "tokenFile: /var/run/token", "the token is refused: 401",
                                         "net/ipv4/conf/all/rp_filter = 1",
                                         "https://10.0.0.1:6443: connection refused", "mail to a@b",
                                         "\"passes\": 3", "gre ikey 0.0.0.1 okey 0.0.0.1",
                                         "-----BEGIN CERTIFICATE-----",
                                         "link/ether 02:42:ac:11:00:02 brd ff:ff:ff:ff:ff:ff", ""));

TEST(Secrets, KeepsTheRestOfAText) {
  EXPECT_EQ(cleaned("a\npassword: x\nb\n"), "a\npassword: <removed>\nb\n");
  EXPECT_EQ(cleaned("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nb"),
            "<removed>\n<removed>\n<removed>\nb");
  EXPECT_EQ(cleaned("token=abc and password=def end"), "token=<removed> and password=<removed> end");
}

TEST(Secrets, SeveralInOneLine) {
  const std::string key = "-----BEGIN PRIVATE KEY-----\\nx\\n-----END PRIVATE KEY-----";
  EXPECT_EQ(cleaned("a " + key + " b " + key + " c"), "a <removed> b <removed> c");
  EXPECT_EQ(cleaned("eyJa.b.c eyJ eyJd.e.f"), "<removed> eyJ <removed>");
  EXPECT_EQ(cleaned("http://a@b http://c http://d:e@f"), "http://<removed>@b http://c http://<removed>@f");
}

TEST(Secrets, OfADocumentGoByName) {
  const json document = {{"bgp", {{"password", "hunter2"}, {"passwordFile", "/etc/x"}, {"asNumber", 64512}}},
                         {"list", {{{"token", {"hunter2", "b"}}, {"apiKey", 12345}, {"secret", nullptr}}}},
                         {"server", "https://u:hunter2@h/"}};
  const json expected = {
      {"bgp", {{"password", "<removed>"}, {"passwordFile", "/etc/x"}, {"asNumber", 64512}}},
      {"list", {{{"token", "<removed>"}, {"apiKey", "<removed>"}, {"secret", nullptr}}}},
      {"server", "https://<removed>@h/"}};
  EXPECT_EQ(Secrets().clean(document), expected);
}

TEST(Secrets, ThatAreKnownGoFromEverywhere) {
  const std::string path = testing::TempDir() + "onlink-secret";
  std::ofstream(path) << "in-a-file\n";
  Secrets secrets;
  secrets.learn({{"bgp", {{"password", "hunter2"}}}, {"source", {{"tokenFile", path}}}});
  secrets.learn_text("users:\n- user:\n    token: from-yaml\n");
  EXPECT_EQ(secrets.clean_text("said hunter2, in-a-file and from-yaml"),
            "said <removed>, <removed> and <removed>");
  EXPECT_EQ(secrets.clean(json{{"text", "xhunter2x"}}), (json{{"text", "x<removed>x"}}));
  (void)std::remove(path.c_str());
}

TEST(Secrets, WhatIsShortIsNotTakenFromEverywhere) {
  Secrets secrets;
  secrets.learn({{"password", "a"}});
  EXPECT_EQ(secrets.clean_text("a dull day"), "a dull day");
}

TEST(Archive, RefusesANameThatDoesNotFit) {
  Archive archive(std::string(90, 'x'), 0);
  archive.add("123456789", "");
  EXPECT_ANY_THROW(archive.add("1234567890", ""));
}

}  // namespace
}  // namespace onlink::node
