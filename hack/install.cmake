# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, by component: plugins, node, doc. All but two kinds of files lie below the prefix: where a
# runtime looks for plugins, and where systemd, NetworkManager, sysctl and ip look for what an administrator may edit.
include(GNUInstallDirs)
set(ONLINK_CNI_DIR /opt/cni/bin CACHE STRING
    "Where the runtime looks for plugins: /opt/cni/bin (Kubernetes' packages), /usr/lib/cni (Debian), /usr/libexec/cni (Fedora)")
set(ONLINK_CONF_DIR /etc CACHE STRING "What holds sysctl.d, systemd, NetworkManager and iproute2")

install(TARGETS onlink onlink-ipam RUNTIME DESTINATION ${ONLINK_CNI_DIR} COMPONENT plugins)
# A pod needs it whether or not onlink-node runs: udev applies the distribution's settings to each new interface.
install(FILES conf/sysctl.d/99-zzz-onlink.conf DESTINATION ${ONLINK_CONF_DIR}/sysctl.d COMPONENT plugins)

install(TARGETS onlink-node RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT node)
# The unit names the program, wherever --prefix puts it.
install(CODE "
  file(READ ${CMAKE_SOURCE_DIR}/conf/node/onlink-node.service unit)
  string(REPLACE /usr/local/sbin \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SBINDIR} unit \"\${unit}\")
  file(WRITE ${CMAKE_BINARY_DIR}/install/onlink-node.service \"\${unit}\")" COMPONENT node)
install(FILES ${CMAKE_BINARY_DIR}/install/onlink-node.service DESTINATION lib/systemd/system COMPONENT node)
function(onlink_drop_in file destination)
  get_filename_component(folder ${destination} DIRECTORY)
  get_filename_component(name ${destination} NAME)
  install(FILES conf/node/${file} DESTINATION ${ONLINK_CONF_DIR}/${folder} RENAME ${name} COMPONENT node)
endfunction()
onlink_drop_in(networkd-onlink.network systemd/network/05-onlink.network)
onlink_drop_in(networkd.conf.d-onlink.conf systemd/networkd.conf.d/onlink.conf)
onlink_drop_in(networkmanager-onlink.conf NetworkManager/conf.d/onlink.conf)
onlink_drop_in(rt_protos.d-onlink.conf iproute2/rt_protos.d/onlink.conf)

install(FILES README.md SECURITY.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT doc)
install(FILES docs/errors.md docs/files.md docs/migrate.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT doc)
install(DIRECTORY conf/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT doc)

# Manual pages and completions, by what the programs print with --help: programs of another processor cannot be asked.
if(CMAKE_CROSSCOMPILING OR ONLINK_SANITIZE)
  return()
endif()
set(made ${CMAKE_BINARY_DIR}/install)
set(documented onlink onlink-ipam onlink-node)
set(documents)
function(onlink_document form program file)
  add_custom_command(OUTPUT ${made}/${file}
    COMMAND ${CMAKE_SOURCE_DIR}/hack/document ${form} $<TARGET_FILE:${program}> ${made}/${file}
    DEPENDS ${program} ${CMAKE_SOURCE_DIR}/hack/document ${CMAKE_SOURCE_DIR}/hack/help.awk ${ARGN} VERBATIM)
  set(documents ${documents} ${made}/${file} PARENT_SCOPE)
endfunction()
file(MAKE_DIRECTORY ${made})
foreach(program ${documented})
  onlink_document(man ${program} ${program}.8 ${CMAKE_SOURCE_DIR}/hack/man.awk ${CMAKE_SOURCE_DIR}/docs/man/${program}.md
                  ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/node/README.md ${CMAKE_SOURCE_DIR}/ipam/README.md
                  ${CMAKE_SOURCE_DIR}/docs/files.md)
  install(FILES ${made}/${program}.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT doc)
endforeach()
foreach(program onlink-ipam onlink-node)
  onlink_document(bash ${program} ${program}.bash)
  install(FILES ${made}/${program}.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${program}
          COMPONENT doc)
  onlink_document(zsh ${program} _${program})
  install(FILES ${made}/_${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT doc)
  onlink_document(fish ${program} ${program}.fish)
  install(FILES ${made}/${program}.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT doc)
endforeach()
add_custom_target(documents ALL DEPENDS ${documents})
