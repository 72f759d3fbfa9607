<#
.SYNOPSIS
Makes this Windows host an agent of a Loam farm.

.DESCRIPTION
The farm serves this file, filled in, at /install.ps1; its screen of agents gives the line to paste into an elevated Windows
PowerShell (5.1). Running it again changes nothing. It checks the system, enables the Windows features that containers need,
installs containerd when there is none, downloads the agent, enrols it with the token in $env:LOAM_ENROL_TOKEN, and makes it
a service. docs/windows.md describes what it leaves on the host; docs/windows-verification.md what nobody has seen yet.

.PARAMETER Slots
Builds at the same time.
.PARAMETER Isolation
How containers are held apart. Other than "process" needs Hyper-V, which is enabled.
.PARAMETER Name
What the farm calls this agent. Without it, the name of the host.
.PARAMETER Url
Address of the farm, when it is not the one that this script came from.
.PARAMETER CaFile
Certificate (PEM) of a private authority that vouches for the farm. It must be in the machine's root store already.
.PARAMETER AllowHttp
Go on although the farm's address is plain HTTP.
.PARAMETER Cni
Connect containers by the CNI plugin nat.exe instead of by the agent itself.
.PARAMETER SkipDefender
Leave the exclusions of Microsoft Defender as they are.
.PARAMETER NoStart
Install the service, but do not start it.
.PARAMETER Force
Leave the farm that this host belongs to.
.PARAMETER ContainerdVersion
Another version of containerd than the pinned one; with ContainerdSha256, of its windows-amd64.tar.gz.
.PARAMETER Uninstall
Take the service and the program away. State, containerd and Windows features stay.
.PARAMETER Purge
With Uninstall: delete the state too.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [ValidateRange(1, 256)] [int]$Slots = 2,
    [ValidateSet('process', 'hyperv', 'process-or-hyperv')] [string]$Isolation = 'process',
    [string]$Name = '',
    [string]$Url = '',
    [string]$CaFile = '',
    [switch]$AllowHttp,
    [switch]$Cni,
    [switch]$SkipDefender,
    [switch]$NoStart,
    [switch]$Force,
    # 2.3 is supported until April 2028 (containerd, RELEASES.md). The digest is that of the release's .sha256sum.
    [string]$ContainerdVersion = '2.3.5',
    [string]$ContainerdSha256 = 'ae0340009f7dd984311a3aa95f579986a51cdc2da25a0246b0856b31ddc9ccf1',
    [switch]$Uninstall,
    [switch]$Purge
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
# Its bar makes downloads many times slower in Windows PowerShell.
$ProgressPreference = 'SilentlyContinue'

# The farm fills these in.
$FarmUrl = ''
$PackageName = ''
$PackageSize = ''
$PackageSha256 = ''
$PackageVersion = ''
$PackageProblem = ''

# The NAT plugin of microsoft/windows-container-networking.
$CniVersion = '0.3.1'
$CniSha256 = '4f36ee6905ada238ca2a9e1bfb8a1fb2912c2d88c4b6e5af4c41a42db70d7d68'

$ServiceName = 'loam-agent'
$ProgramDirectory = Join-Path $env:ProgramFiles 'Loam'
$Program = Join-Path $ProgramDirectory 'loam-agent.exe'
$StateDirectory = Join-Path $env:ProgramData 'loam-agent'
$ContainerdDirectory = Join-Path $env:ProgramFiles 'containerd'
$ContainerdRoot = Join-Path $env:ProgramData 'containerd'
$System32 = Join-Path $env:SystemRoot 'System32'
# Everything else on the way needs none of it, and programs that are started from here must not have it.
$Token = [string]$env:LOAM_ENROL_TOKEN
$env:LOAM_ENROL_TOKEN = $null
$Cmdlet = $PSCmdlet
$Run = @{ Changed = $false; RestartNeeded = $false; Replaced = $false; Transcript = '' }

function Write-Line([string]$Text) { Write-Host $Text }
function Write-Already([string]$Text) { Write-Host ('  ok    {0}' -f $Text) }
function Write-Remark([string]$Text) { Write-Host ('  note  {0}' -f $Text) -ForegroundColor Yellow }

# Ends the installation. What is thrown is shown once, by the handler at the end.
function Stop-Install([string]$Code, [string]$Message, [string]$Remedy) {
    throw ('{0}|{1}|{2}' -f $Code, $Message, $Remedy)
}

# Does one thing and says so; with -WhatIf it only says so. Its names are long since what it runs sees them.
function Invoke-Step([string]$StepTarget, [string]$StepAction, [scriptblock]$StepBody) {
    if (-not $Cmdlet.ShouldProcess($StepTarget, $StepAction)) { return }
    Write-Host ('  do    {0}: {1}' -f $StepAction, $StepTarget)
    & $StepBody
    $Run.Changed = $true
}

# Does what fails while somebody has a file open: a scanner, or a program that is just ending. That passes.
function Invoke-Patiently([scriptblock]$PatientBody) {
    foreach ($patientAttempt in 1..10) {
        try {
            & $PatientBody
            return
        } catch {
            if ($patientAttempt -eq 10) { throw }
            Start-Sleep -Seconds 1
        }
    }
}

# Runs a program; its exit code and all that it printed. Redirected errors of programs would else be exceptions in 5.1.
function Invoke-Native([string]$FilePath, [string[]]$Arguments, [string]$StandardInput = '') {
    $ErrorActionPreference = 'Continue'
    if ($StandardInput -eq '') {
        $lines = & $FilePath @Arguments 2>&1
    } else {
        $lines = $StandardInput | & $FilePath @Arguments 2>&1
    }
    return @{ Code = $LASTEXITCODE; Text = (@($lines) | ForEach-Object { [string]$_ }) -join [Environment]::NewLine }
}

function Get-Sha256([string]$File) {
    if (-not (Test-Path -LiteralPath $File -PathType Leaf)) { return '' }
    return (Get-FileHash -LiteralPath $File -Algorithm SHA256).Hash.ToLowerInvariant()
}

# Fetches a file, going on where an earlier try ended, and lets it pass only with the right digest.
function Get-Verified([string]$Address, [string]$File, [string]$Sha256) {
    if ((Get-Sha256 $File) -eq $Sha256) { return }
    $part = '{0}.{1}.part' -f $File, $Sha256.Substring(0, 12)
    $arguments = @('-fsSL', '--connect-timeout', '30', '-C', '-', '-o', $part, $Address)
    # Private authorities seldom publish where to ask for revocations, without which Windows refuses.
    if ($CaFile -ne '' -and $Address.StartsWith($FarmUrl)) { $arguments = @('--ssl-no-revoke') + $arguments }
    foreach ($attempt in 1..5) {
        if ((Get-Sha256 $part) -eq $Sha256) { break }
        $fetched = Invoke-Native (Join-Path $System32 'curl.exe') $arguments
        if ($fetched.Code -eq 0) { break }
        # 22 is an answer of 400 or more: also for a part that is as long as the file, or longer, and is not it.
        if ($fetched.Code -eq 22 -and (Test-Path -LiteralPath $part)) { Remove-Item -LiteralPath $part -Force }
        if ($attempt -eq 5) {
            Stop-Install 'install.download-failed' ('{0} could not be fetched: {1}' -f $Address, $fetched.Text) 'Check the way there (for a proxy, set $env:HTTPS_PROXY), then paste the line again: it goes on where it broke off.'
        }
        Write-Remark ('the download broke off; attempt {0} of 5' -f ($attempt + 1))
        Start-Sleep -Seconds 3
    }
    $found = Get-Sha256 $part
    if ($found -ne $Sha256) {
        Remove-Item -LiteralPath $part -Force
        Stop-Install 'install.wrong-digest' ('What came from {0} has the SHA-256 {1}, not {2}.' -f $Address, $found, $Sha256) 'Paste the line again: the farm may just have built another version. If it stays, something on the way changes downloads.'
    }
    Invoke-Patiently {
        if (Test-Path -LiteralPath $File) { Remove-Item -LiteralPath $File -Force }
        Move-Item -LiteralPath $part -Destination $File
    }
}

function Test-Host {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal $identity
    if (-not $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        Stop-Install 'install.needs-administrator' 'This has to run as administrator.' 'Open Windows PowerShell with "Run as administrator" and paste the line again; its token is still good.'
    }
    if ($PSVersionTable.PSVersion.Major -ne 5) {
        Stop-Install 'install.wrong-powershell' ('This is PowerShell {0}.' -f $PSVersionTable.PSVersion) 'Windows PowerShell 5.1 is on every system that Loam supports: start powershell.exe as administrator and paste the line there.'
    }
    if (-not [Environment]::Is64BitProcess -or $env:PROCESSOR_ARCHITECTURE -ne 'AMD64') {
        Stop-Install 'install.wrong-architecture' ('This is a {0} process.' -f $env:PROCESSOR_ARCHITECTURE) 'The agent needs 64-bit Windows on x64; start the 64-bit Windows PowerShell.'
    }
}

# Builds and editions: reference for builds is Microsoft's "Windows container version compatibility".
function Test-System {
    $system = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $build = [int]$system.CurrentBuildNumber
    $about = '{0}, build {1}.{2}' -f $system.ProductName, $build, $system.UBR
    if ($build -lt 17763) {
        Stop-Install 'install.old-windows' ('{0} is too old.' -f $about) 'Use Windows Server 2019 (build 17763) or newer; best 2022 or 2025.'
    }
    if ($system.EditionID -like 'Core*' -and $system.InstallationType -eq 'Client') {
        Stop-Install 'install.wrong-edition' ('{0} ({1}) has no containers.' -f $about, $system.EditionID) 'Use Windows Server, or Windows Pro or Enterprise for trying things out.'
    }
    Write-Already $about
    if ($system.InstallationType -eq 'Client') { Write-Remark 'a client edition: meant for development and tests' }
    $drive = New-Object IO.DriveInfo ($ContainerdRoot.Substring(0, 1))
    if ($drive.DriveFormat -ne 'NTFS') {
        Stop-Install 'install.not-ntfs' ('{0} is {1}; containers need NTFS.' -f $drive.Name, $drive.DriveFormat) 'Move ProgramData or the root of containerd (config.toml) to an NTFS volume.'
    }
    $freeGigabytes = [math]::Floor($drive.AvailableFreeSpace / 1073741824)
    if ($freeGigabytes -lt 50) { Write-Remark ('only {0} GB are free on {1}; images of Windows take 5 to 20 GB each' -f $freeGigabytes, $drive.Name) }
}

function Test-Farm {
    if ($FarmUrl -eq '') {
        Stop-Install 'install.no-farm' 'It is not known which farm this is for.' 'Take the line from the screen of agents, or give -Url.'
    }
    if ($FarmUrl -match '^http://' -and $FarmUrl -notmatch '^http://(localhost|127\.[0-9.]+|\[::1\])(:|/|$)') {
        if (-not $AllowHttp) {
            Stop-Install 'install.plain-http' ('{0} is plain HTTP: token and program could be read and replaced on the way.' -f $FarmUrl) 'Put TLS in front of the farm and set LOAM_PUBLIC_URL, or give -AllowHttp in a network that you trust.'
        }
        Write-Remark ('going on over plain HTTP to {0}, as -AllowHttp says' -f $FarmUrl)
    }
    if ($CaFile -ne '' -and -not (Select-String -LiteralPath $CaFile -Pattern 'BEGIN CERTIFICATE' -SimpleMatch -Quiet)) {
        Stop-Install 'install.bad-ca' ('{0} is not a certificate in PEM.' -f $CaFile) 'Give -CaFile the file of the authority behind the farm.'
    }
    if ($PackageProblem -ne '') {
        Stop-Install 'install.no-package' ('The farm gives no agent away: {0}' -f $PackageProblem) 'Build the packages where the API runs (npm run package), then paste the line again.'
    }
    if ($PackageName -eq '') {
        Stop-Install 'install.no-package' 'This file was not filled in by a farm.' ('Fetch it from the farm: {0}/install.ps1' -f $FarmUrl)
    }
}

function Enable-Feature([string]$FeatureName, [string]$Why) {
    try {
        $feature = Get-WindowsOptionalFeature -Online -FeatureName $FeatureName
        $state = [string]$feature.State
    } catch {
        Stop-Install 'install.no-feature' ('This system has no feature {0}: {1}' -f $FeatureName, $_.Exception.Message) ('It is needed for {0}. Use Windows Server 2022 or 2025.' -f $Why)
    }
    if ($state -eq 'Enabled') {
        Write-Already ('feature {0}' -f $FeatureName)
    } elseif ($state -eq 'EnablePending') {
        Write-Remark ('feature {0} waits for a restart' -f $FeatureName)
        $Run.RestartNeeded = $true
    } else {
        Invoke-Step $FeatureName ('enable the Windows feature, for {0}' -f $Why) {
            $enabled = Enable-WindowsOptionalFeature -Online -FeatureName $FeatureName -All -NoRestart -WarningAction SilentlyContinue
            if ($enabled.RestartNeeded) { $Run.RestartNeeded = $true }
        }
    }
}

function Enable-LongPaths {
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem'
    $current = (Get-ItemProperty -LiteralPath $key).PSObject.Properties['LongPathsEnabled']
    if ($null -ne $current -and $current.Value -eq 1) {
        Write-Already 'long paths'
        return
    }
    Invoke-Step ('{0}\LongPathsEnabled' -f $key) 'set to 1, for paths of more than 260 characters' {
        $null = New-ItemProperty -LiteralPath $key -Name 'LongPathsEnabled' -Value 1 -PropertyType DWord -Force
    }
}

# SYSTEM and administrators only, by their identifiers, which are the same in every language.
function Test-Private([string]$Directory) {
    $acl = Get-Acl -LiteralPath $Directory
    if (-not $acl.AreAccessRulesProtected) { return $false }
    foreach ($rule in $acl.GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
        if (@('S-1-5-18', 'S-1-5-32-544') -notcontains $rule.IdentityReference.Value) { return $false }
    }
    return $true
}

function New-StateDirectory {
    if (Test-Path -LiteralPath $StateDirectory) {
        # Below ProgramData every user may make directories: what one has put there must not become our configuration. Whoever
        # owns one may open it again at any time, however closed it looks.
        $owner = (Get-Acl -LiteralPath $StateDirectory).GetOwner([Security.Principal.SecurityIdentifier]).Value
        $trusted = @('S-1-5-18', 'S-1-5-32-544', [Security.Principal.WindowsIdentity]::GetCurrent().User.Value)
        if ($trusted -notcontains $owner) {
            Stop-Install 'install.foreign-state' ('{0} was made by somebody else ({1}).' -f $StateDirectory, $owner) 'Look at what is in it, and delete it; then paste the line again.'
        }
        if (Test-Private $StateDirectory) {
            Write-Already ('{0}, closed to others' -f $StateDirectory)
            return
        }
    }
    Invoke-Step $StateDirectory 'make the state directory, for SYSTEM and administrators only' {
        $null = New-Item -ItemType Directory -Path $StateDirectory -Force
        $icacls = Join-Path $System32 'icacls.exe'
        $owned = Invoke-Native $icacls @($StateDirectory, '/setowner', '*S-1-5-32-544', '/Q')
        $closed = Invoke-Native $icacls @($StateDirectory, '/inheritance:r', '/grant:r', '*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F', '/Q')
        # Rights that somebody else was given by name are left by icacls.
        if ($owned.Code -ne 0 -or $closed.Code -ne 0 -or -not (Test-Private $StateDirectory)) {
            Stop-Install 'install.acl-failed' ('{0} could not be closed to others: {1} {2}' -f $StateDirectory, $owned.Text, $closed.Text) 'Look at its permissions with icacls, then paste the line again.'
        }
    }
}

# Of what is in the state directory, nothing secret: the token is never printed.
function Start-Log {
    if ($WhatIfPreference -or -not (Test-Path -LiteralPath $StateDirectory)) { return }
    $logs = Join-Path $StateDirectory 'logs'
    $null = New-Item -ItemType Directory -Path $logs -Force
    $file = Join-Path $logs 'install.log'
    $null = Start-Transcript -LiteralPath $file -Append
    $Run.Transcript = $file
}

function Get-ServiceProgram([string]$Service) {
    $found = Get-CimInstance -ClassName Win32_Service -Filter ("Name='{0}'" -f $Service)
    if ($null -eq $found) { return '' }
    if ($found.PathName -match '^"([^"]+)"') { return $Matches[1] }
    return ($found.PathName -split ' ')[0]
}

function Install-Containerd {
    $service = Get-Service -Name 'containerd' -ErrorAction SilentlyContinue
    if ($null -eq $service) {
        Invoke-Step $ContainerdDirectory ('install containerd {0}' -f $ContainerdVersion) { Add-Containerd }
        if ($WhatIfPreference) { return }
    } else {
        Test-ContainerdVersion
    }
    $service = Get-Service -Name 'containerd'
    if ($service.Status -ne 'Running') {
        Invoke-Step 'containerd' 'start the service' { Start-Service -Name 'containerd' }
    }
    if (-not $WhatIfPreference) { Wait-Containerd }
}

# As containerd's docs/getting-started.md has it, with a digest, and with a log: without one its messages are lost.
function Add-Containerd {
    $archive = Join-Path $env:TEMP ('containerd-{0}-windows-amd64.tar.gz' -f $ContainerdVersion)
    $address = 'https://github.com/containerd/containerd/releases/download/v{0}/containerd-{0}-windows-amd64.tar.gz' -f $ContainerdVersion
    Get-Verified $address $archive ($ContainerdSha256.ToLowerInvariant())
    $null = New-Item -ItemType Directory -Path $ContainerdDirectory -Force
    # Its files are in bin/.
    $unpacked = Invoke-Native (Join-Path $System32 'tar.exe') @('-xf', $archive, '--strip-components', '1', '-C', $ContainerdDirectory)
    $daemon = Join-Path $ContainerdDirectory 'containerd.exe'
    if ($unpacked.Code -ne 0 -or -not (Test-Path -LiteralPath $daemon)) {
        Stop-Install 'install.unpack-failed' ('{0} could not be unpacked: {1}' -f $archive, $unpacked.Text) 'Delete it and paste the line again.'
    }
    Invoke-Patiently { Remove-Item -LiteralPath $archive -Force }
    $config = Join-Path $ContainerdDirectory 'config.toml'
    if (-not (Test-Path -LiteralPath $config)) {
        # ASCII: containerd cannot read the UTF-16 that Windows PowerShell writes.
        & $daemon config default | Out-File -LiteralPath $config -Encoding ascii
    }
    $null = New-Item -ItemType Directory -Path $ContainerdRoot -Force
    $registered = Invoke-Native $daemon @('--register-service', '--log-file', (Join-Path $ContainerdRoot 'containerd.log'))
    if ($registered.Code -ne 0) {
        Stop-Install 'install.containerd-failed' ('containerd could not become a service: {0}' -f $registered.Text) 'Mend what it says, then paste the line again.'
    }
}

function Test-ContainerdVersion {
    $daemon = Get-ServiceProgram 'containerd'
    $version = Invoke-Native $daemon @('--version')
    if ($version.Text -notmatch 'v?(\d+\.\d+\.\d+)') {
        Write-Remark ('{0} does not tell its version' -f $daemon)
    } elseif ([version]$Matches[1] -lt [version]'1.7.7') {
        Stop-Install 'install.old-containerd' ('containerd {0} is too old.' -f $Matches[1]) 'Bring it to 1.7.7 or newer, best 2.x; or unregister it (containerd.exe --unregister-service) and paste the line again.'
    } else {
        Write-Already ('containerd {0}, left as it is' -f $Matches[1])
    }
}

# A service counts as running before containerd has loaded its plugins.
function Wait-Containerd {
    $client = Join-Path (Split-Path -Parent (Get-ServiceProgram 'containerd')) 'ctr.exe'
    if (-not (Test-Path -LiteralPath $client)) { return }
    $answer = @{ Code = 1; Text = '' }
    foreach ($attempt in 1..30) {
        $answer = Invoke-Native $client @('version')
        if ($answer.Code -eq 0) {
            Write-Already 'containerd answers'
            return
        }
        Start-Sleep -Seconds 2
    }
    Stop-Install 'install.containerd-silent' ('containerd does not answer: {0}' -f $answer.Text) ('Look into {0}\containerd.log and {0}\root\panic.log.' -f $ContainerdRoot)
}

# The agent finds or makes the network itself when a step first needs it; here is only said what there is.
function Show-Network {
    if ($null -eq (Get-Command -Name 'Get-HnsNetwork' -ErrorAction SilentlyContinue)) {
        Write-Remark 'NAT network: not looked at (this system has no Get-HnsNetwork); the agent makes one when a step needs it'
        return
    }
    try {
        $networks = @(Get-HnsNetwork | Where-Object { $_.Type -eq 'nat' })
    } catch {
        Write-Remark ('NAT network: not known ({0}); the doctor of the agent looks closer' -f $_.Exception.Message)
        return
    }
    if ($networks.Count -eq 0) {
        Write-Already 'NAT network: none yet; the agent makes one when a step needs it'
    } else {
        Write-Already ('NAT network: {0}' -f (($networks | ForEach-Object { $_.Name }) -join ', '))
    }
}

function Install-Cni {
    $plugins = Join-Path $ContainerdDirectory 'cni\bin'
    if (Test-Path -LiteralPath (Join-Path $plugins 'nat.exe')) {
        Write-Already ('{0}\nat.exe' -f $plugins)
        return
    }
    Invoke-Step $plugins ('install the CNI plugins of Windows {0}' -f $CniVersion) {
        $archive = Join-Path $env:TEMP ('windows-container-networking-cni-amd64-v{0}.zip' -f $CniVersion)
        $address = 'https://github.com/microsoft/windows-container-networking/releases/download/v{0}/windows-container-networking-cni-amd64-v{0}.zip' -f $CniVersion
        Get-Verified $address $archive $CniSha256
        $null = New-Item -ItemType Directory -Path $plugins -Force
        Expand-Archive -LiteralPath $archive -DestinationPath $plugins -Force
        Invoke-Patiently { Remove-Item -LiteralPath $archive -Force }
    }
}

function Install-Program {
    if ((Get-Sha256 $Program) -eq $PackageSha256) {
        Write-Already ('{0} is version {1}' -f $Program, $PackageVersion)
        return
    }
    Invoke-Step $Program ('download the agent {0} ({1} MB)' -f $PackageVersion, [math]::Round([long]$PackageSize / 1048576)) {
        $null = New-Item -ItemType Directory -Path $ProgramDirectory -Force
        # Beside the old one first: it is gone for as short as can be.
        $fresh = Join-Path $ProgramDirectory 'loam-agent.new.exe'
        Get-Verified ('{0}/api/v1/downloads/{1}' -f $FarmUrl, $PackageName) $fresh $PackageSha256
        Stop-Agent
        Invoke-Patiently {
            if (Test-Path -LiteralPath $Program) { Remove-Item -LiteralPath $Program -Force }
            Move-Item -LiteralPath $fresh -Destination $Program
        }
        $Run.Replaced = $true
    }
}

# A program that runs cannot be replaced. Running builds get their time; the next start resumes the others.
function Stop-Agent {
    $running = Get-CimInstance -ClassName Win32_Service -Filter ("Name='{0}'" -f $ServiceName)
    if ($null -eq $running -or $running.State -eq 'Stopped') { return }
    Stop-Service -Name $ServiceName -Force
    # A service has stopped when it says so; its process ends, and lets go of its file, a little later.
    if ($running.ProcessId -ne 0) { Wait-Process -Id $running.ProcessId -Timeout 30 -ErrorAction SilentlyContinue }
}

function Install-Ca {
    if ($CaFile -eq '') { return }
    $kept = Join-Path $StateDirectory 'ca.pem'
    if ((Get-Sha256 $kept) -eq (Get-Sha256 $CaFile)) {
        Write-Already ('the authority of the farm is in {0}' -f $kept)
    } else {
        Invoke-Step $kept 'keep the authority of the farm' {
            Copy-Item -LiteralPath $CaFile -Destination $kept -Force
            # Node reads it when it starts.
            $Run.Replaced = $true
        }
    }
}

# The farm that this host belongs to and shall go on with; '' when it has to be enrolled.
function Get-KnownFarm {
    $config = Join-Path $StateDirectory 'config.json'
    if ($Force -or -not (Test-Path -LiteralPath $config)) { return '' }
    return [string](Get-Content -LiteralPath $config -Raw | ConvertFrom-Json).url
}

# Before anything is replaced: an agent that works is not to be stopped for a farm that it does not belong to.
function Test-Membership {
    $known = Get-KnownFarm
    if ($known -ne '') {
        if ($known -ne $FarmUrl) {
            Stop-Install 'install.other-farm' ('This host is an agent of {0}.' -f $known) 'Give -Force to make it one of this farm.'
        }
    } elseif ($Token -eq '' -and -not $WhatIfPreference) {
        Stop-Install 'install.no-token' 'There is no token.' 'Take the line from the screen of agents; $env:LOAM_ENROL_TOKEN has to be set before.'
    }
}

function Join-Farm {
    $known = Get-KnownFarm
    if ($known -ne '') {
        Write-Already ('enrolled with {0}; the token was not used' -f $known)
        return
    }
    Invoke-Step $FarmUrl 'enrol this host' {
        $arguments = @('enrol', '--url', $FarmUrl, '--state', $StateDirectory, '--slots', [string]$Slots, '--isolation', $Isolation, '--token', '-')
        if ($Name -ne '') { $arguments += @('--name', $Name) }
        if ($Cni) { $arguments += @('--network-provider', 'cni') }
        if ($Force) { $arguments += '--force' }
        $ca = Join-Path $StateDirectory 'ca.pem'
        $before = $env:NODE_EXTRA_CA_CERTS
        try {
            # Node does not ask the certificate store of Windows.
            if (Test-Path -LiteralPath $ca) { $env:NODE_EXTRA_CA_CERTS = $ca }
            # By standard input: command lines are seen by others and are recorded by audits.
            $enrolled = Invoke-Native $Program $arguments $Token
        } finally {
            $env:NODE_EXTRA_CA_CERTS = $before
        }
        if ($enrolled.Code -ne 0) {
            Stop-Install 'install.enrol-failed' ('The farm did not take this host in: {0}' -f $enrolled.Text) 'A token works once, and not for long: make a new one on the screen of agents.'
        }
        Write-Line ('        {0}' -f $enrolled.Text)
        # It has to read what was kept now.
        $Run.Replaced = $true
    }
}

function Install-AgentService {
    $ca = Join-Path $StateDirectory 'ca.pem'
    $install = @('service', 'install', '--name', $ServiceName, '--state', $StateDirectory, '--json')
    $isThere = (Get-ServiceProgram $ServiceName) -eq $Program
    $made = @{ Code = 0; Text = '' }
    if ($isThere -and -not $WhatIfPreference) { $made = Invoke-Native $Program $install }
    if ($made.Text -match '"changed":"updated"') {
        Write-Host ('  do    bring the service up to date: {0}' -f $ServiceName)
        $Run.Changed = $true
        $Run.Replaced = $true
    } elseif ($isThere -and $made.Code -eq 0) {
        Write-Already ('the service {0}' -f $ServiceName)
    } else {
        Invoke-Step $ServiceName 'create the service, started with the system and again after a failure' {
            $created = Invoke-Native $Program $install
            if ($created.Code -ne 0) {
                Stop-Install 'install.service-failed' ('The service could not be created: {0}' -f $created.Text) 'Mend what it says, then paste the line again.'
            }
        }
    }
    if (Test-Path -LiteralPath $ca) { Set-ServiceVariable 'NODE_EXTRA_CA_CERTS' $ca }
    if ($NoStart) {
        Write-Remark ('not started, as -NoStart says: Start-Service {0}' -f $ServiceName)
        return
    }
    $service = Get-Service -Name $ServiceName -ErrorAction SilentlyContinue
    if ($null -ne $service -and $service.Status -eq 'Running' -and -not $Run.Replaced) {
        Write-Already 'the service runs'
        return
    }
    Invoke-Step $ServiceName 'start the service' {
        Stop-Agent
        try {
            Start-Service -Name $ServiceName
        } catch {
            Stop-Install 'install.service-failed' ('The service did not start: {0}' -f $_.Exception.Message) ('Look into {0}\service-log and the event log "Application".' -f $StateDirectory)
        }
    }
}

# The service control manager gives a service the variables in the value Environment of its key.
function Set-ServiceVariable([string]$Variable, [string]$Value) {
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Services\{0}' -f $ServiceName
    if (-not (Test-Path -LiteralPath $key)) { return }
    $line = '{0}={1}' -f $Variable, $Value
    $property = (Get-ItemProperty -LiteralPath $key).PSObject.Properties['Environment']
    $lines = @()
    if ($null -ne $property) { $lines = @($property.Value) }
    if ($lines -contains $line) { return }
    $lines = @($lines | Where-Object { $_ -notlike ('{0}=*' -f $Variable) }) + $line
    Invoke-Step $ServiceName ('give the service {0}' -f $Variable) {
        $null = New-ItemProperty -LiteralPath $key -Name 'Environment' -Value ([string[]]$lines) -PropertyType MultiString -Force
        $Run.Replaced = $true
    }
}

# Scanning every file of every layer makes builds many times slower and locks files of snapshots (docs/windows.md).
function Add-Exclusions {
    if ($SkipDefender) {
        Write-Remark 'Defender: left as it is, as -SkipDefender says'
        return
    }
    if ($null -eq (Get-Command -Name 'Add-MpPreference' -ErrorAction SilentlyContinue)) {
        Write-Remark 'Defender is not on this host; exclude the directory of containerd from whatever scans files here'
        return
    }
    $daemon = Get-ServiceProgram 'containerd'
    if ($daemon -eq '') { $daemon = Join-Path $ContainerdDirectory 'containerd.exe' }
    $daemons = Split-Path -Parent $daemon
    $processes = @((Join-Path $daemons 'containerd.exe'), (Join-Path $daemons 'containerd-shim-runhcs-v1.exe'), $Program)
    Write-Line ('        Defender will not look at {0}, and at what these open: {1}' -f $ContainerdRoot, ($processes -join ', '))
    try {
        $preference = Get-MpPreference
        if (@($preference.ExclusionPath) -notcontains $ContainerdRoot) {
            Invoke-Step $ContainerdRoot 'exclude the path from scans of Defender' { Add-MpPreference -ExclusionPath $ContainerdRoot }
        }
        foreach ($process in $processes) {
            if (@($preference.ExclusionProcess) -notcontains $process) {
                Invoke-Step $process 'exclude what the process opens from scans of Defender' { Add-MpPreference -ExclusionProcess $process }
            }
        }
    } catch {
        Write-Remark ('Defender did not take the exclusions ({0}); a policy may rule here. The agent works without them, slower.' -f $_.Exception.Message)
    }
}

function Remove-Agent {
    $service = Get-Service -Name $ServiceName -ErrorAction SilentlyContinue
    if ($null -eq $service) {
        Write-Already ('there is no service {0}' -f $ServiceName)
    } else {
        Invoke-Step $ServiceName 'stop the service and take it away' {
            Stop-Agent
            if (Test-Path -LiteralPath $Program) {
                $removed = Invoke-Native $Program @('service', 'uninstall', '--name', $ServiceName)
            } else {
                $removed = Invoke-Native (Join-Path $System32 'sc.exe') @('delete', $ServiceName)
            }
            if ($removed.Code -ne 0) {
                Stop-Install 'install.service-failed' ('The service could not be taken away: {0}' -f $removed.Text) ('Try: sc.exe delete {0}' -f $ServiceName)
            }
        }
    }
    if (Get-Command -Name 'Remove-MpPreference' -ErrorAction SilentlyContinue) {
        if (@((Get-MpPreference).ExclusionProcess) -contains $Program) {
            Invoke-Step $Program 'end the exclusion of Defender' { Remove-MpPreference -ExclusionProcess $Program }
        }
    }
    if (Test-Path -LiteralPath $ProgramDirectory) {
        Invoke-Step $ProgramDirectory 'delete the program' {
            Invoke-Patiently {
                if (Test-Path -LiteralPath $ProgramDirectory) { Remove-Item -LiteralPath $ProgramDirectory -Recurse -Force }
            }
        }
    }
    if (-not (Test-Path -LiteralPath $StateDirectory)) {
        Write-Already ('there is no {0}' -f $StateDirectory)
    } elseif ($Purge) {
        Invoke-Step $StateDirectory 'delete the state: credential, journals, caches of steps' {
            Invoke-Patiently {
                if (Test-Path -LiteralPath $StateDirectory) { Remove-Item -LiteralPath $StateDirectory -Recurse -Force }
            }
        }
    } else {
        Write-Line ('Kept: {0} (credential, caches of steps). Delete it with -Uninstall -Purge.' -f $StateDirectory)
    }
    Write-Line 'containerd, its images and snapshots, its exclusions of Defender, the Windows features and a private authority in the root store stay. On the farm, revoke the agent.'
}

function Install-Agent {
    Write-Line ('Making this host an agent of {0}' -f $FarmUrl)
    Test-Farm
    Test-System
    Enable-Feature 'Containers' 'containers'
    if ($Isolation -ne 'process') { Enable-Feature 'Microsoft-Hyper-V' 'Hyper-V isolation' }
    Enable-LongPaths
    if ($Run.RestartNeeded) {
        Write-Remark 'Windows has to be restarted before containers work. Do: Restart-Computer'
        Write-Line 'Then paste the same line again; it goes on from here. The token was not used; if it expires meanwhile, make a new line.'
        return
    }
    New-StateDirectory
    Start-Log
    Test-Membership
    Install-Containerd
    Show-Network
    if ($Cni) { Install-Cni }
    Install-Program
    Install-Ca
    Join-Farm
    Add-Exclusions
    Install-AgentService
    Write-Already ('firewall: no rule is needed, the agent only calls out, to {0}' -f $FarmUrl)
}

if ($Url -ne '') { $FarmUrl = $Url.TrimEnd('/') }
try {
    if ($Purge -and -not $Uninstall) { Stop-Install 'install.bad-argument' '-Purge belongs to -Uninstall.' 'Give both, or neither.' }
    Test-Host
    if ($Uninstall) {
        Write-Line 'Taking the Loam agent away'
        Remove-Agent
    } else {
        Install-Agent
    }
    if ($WhatIfPreference) {
        Write-Line 'Nothing was done: -WhatIf.'
    } elseif (-not $Run.Changed -and -not $Run.RestartNeeded) {
        Write-Line 'Nothing had to be changed.'
    } elseif (-not $Uninstall -and -not $Run.RestartNeeded) {
        Write-Line ('Done. The screen of agents shows it as soon as it runs; & "{0}" doctor says what is wrong if it does not.' -f $Program)
    }
} catch {
    $parts = $_.Exception.Message -split '\|', 3
    if ($parts[0] -notlike 'install.*') { $parts = @('install.failed', $_.Exception.Message, ('It happened here: {0}' -f $_.InvocationInfo.PositionMessage)) }
    Write-Host ('install: {0}' -f $parts[1]) -ForegroundColor Red
    Write-Host ('  {0}' -f $parts[2])
    Write-Host ('  code: {0}' -f $parts[0])
    if ($Run.Transcript -ne '') { Write-Host ('  all of it: {0}' -f $Run.Transcript) }
    throw ('Loam was not installed: {0}' -f $parts[0])
} finally {
    if ($Run.Transcript -ne '') { $null = Stop-Transcript }
}
