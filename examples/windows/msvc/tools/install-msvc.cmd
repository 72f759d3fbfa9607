@echo off
rem Installs the C++ tools of Visual Studio 2022 from the channel manifest beside this file.
rem The toolset and the SDK are named by version: the workload alone would take whatever is the latest.
start "" /wait C:\TEMP\vs_buildtools.exe --quiet --wait --norestart --nocache --installPath C:\BuildTools --channelUri C:\TEMP\VisualStudio.chman --installChannelUri C:\TEMP\VisualStudio.chman --add Microsoft.VisualStudio.Workload.VCTools --add Microsoft.VisualStudio.Component.VC.14.44.17.14.x86.x64 --add Microsoft.VisualStudio.Component.Windows11SDK.22621
set CODE=%ERRORLEVEL%
rem 3010 is success, "restart required"; a container has nothing to restart.
if "%CODE%"=="3010" set CODE=0
if not "%CODE%"=="0" echo The installer ended with %CODE%. Its log: & type "%TEMP%\dd_setup_*_errors.log"
exit /b %CODE%
